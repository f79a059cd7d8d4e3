"""The thresholds that a clip must pass."""

from __future__ import annotations

from pydantic import ConfigDict, Field, model_validator

from vidal.config.base import Settings
from vidal.scores import is_score


class Filters(Settings):
    """Bounds on the scores of clips. Every score of docs/columns.md can have a lower and an upper bound. A bound is named after its
    score, with `_min` or `_max` at the end, such as `nsfw_max: 0.3`. A clip exactly at a bound passes. A clip without the score passes
    too.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    similarity_min: float | None = Field(default=None, ge=-1, le=1)
    """Lowest similarity of the frames with title and hashtags. It does not apply to sounds."""
    languages: tuple[str, ...] = ()
    """ISO 639-1 codes of the languages that pass, such as `[en]`. An empty list lets all pass. A clip of unknown language always
    passes."""

    @model_validator(mode="after")
    def _bounds(self) -> Filters:
        for name, value in (self.model_extra or {}).items():
            if not (name.endswith(("_min", "_max")) and is_score(name[:-4])):
                raise ValueError(f"{name}: must be the name of a score (see docs/columns.md), followed by _min or _max")
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ValueError(f"{name}: must be a number, not {value!r}")
        return self

    def bounds(self) -> dict[str, float]:
        """Returns the thresholds that are set, by name, such as similarity_min."""
        named = {"similarity_min": self.similarity_min, **(self.model_extra or {})}
        return {name: float(value) for name, value in named.items() if value is not None}
