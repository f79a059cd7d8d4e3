"""Finds which stored results a build will compute again, and why. The build prints them before it computes anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vidal.config.recipe import Recipe
from vidal.pipeline.incremental import identity_of
from vidal.pipeline.stage import Part, Stage, WorkIdentity
from vidal.schema import Subject
from vidal.storage import layout


@dataclass(frozen=True)
class StaleStage:
    """Stored parts of a stage that were made with an old identity, such as an earlier version.

    records: how many records the parts hold. unit: "clips" or "candidates". made_by: the old identity. now: the present one.
    """

    stage: str
    records: int
    unit: str
    made_by: WorkIdentity
    now: WorkIdentity

    @property
    def is_by_version(self) -> bool:
        """Whether only versions differ, so that --keep-stale can keep the work."""
        return self.made_by.choices == self.now.choices

    def __str__(self) -> str:
        return f"{self.stage}: {self.records} {self.unit} are done again, with all that depends on them: {self._why()}"

    def _why(self) -> str:
        if not self.is_by_version:
            return "its settings, models or weights have changed"
        old, new = self.made_by.versions, self.now.versions
        changed = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
        return ", ".join(
            f"{name} was version {old.get(name, 'none')}, is now {new.get(name, 'none')}" for name in changed
        )


def stale_stages(
    stages: Iterable[Stage], recipe: Recipe, parts: list[Part], read_metadata: Callable[[str], dict[str, str] | None]
) -> list[StaleStage]:
    """Returns the stages with stored parts that were made with other versions, settings or weights than the present ones.

    A stage has one entry for each combination of old versions, settings and weights. Parts that become stale only because their inputs
    change are not counted: the new inputs are not known yet.

    read_metadata: returns the metadata of a stored table by its name, or None if there is none.
    """
    stale: list[StaleStage] = []
    for stage in stages:
        now = stage.identity(recipe)
        counts: dict[str, tuple[WorkIdentity, int]] = {}
        for part in parts:
            name = layout.part_table(stage.name, part.shard, part.index)
            metadata = read_metadata(name) or {}
            made_by = identity_of(metadata)
            if made_by is not None and made_by != now:
                before = counts.get(made_by.fingerprint, (made_by, 0))[1]
                counts[made_by.fingerprint] = (made_by, before + len(json.loads(metadata["records"])))
        unit = "candidates" if stage.subject is Subject.CANDIDATE else "clips"
        stale += [StaleStage(stage.name, count, unit, made_by, now) for made_by, count in counts.values() if count]
    return stale
