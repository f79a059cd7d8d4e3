"""Counts what a stage has done with a part (a batch of records). The metrics of a build are made from these counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from vidal.pipeline.incremental import Result
from vidal.pipeline.stage import Stage
from vidal.schema import Reason, Status, Subject


@dataclass(frozen=True)
class PartWork:
    """The work of one stage on one part; results that were stored before do not count.

    ended: the number of candidates, clips or views by (subject, status, reason). tokens: how many tokens models read ("in") and wrote
    ("out"), if they count them. bytes_written: the size of the media and tables that were written.
    """

    stage: str
    ended: Counter[tuple[str, str, str]]
    wall_s: float
    cpu_s: float
    tokens: Counter[str]
    bytes_written: int


Observe = Callable[[PartWork], None]


def ignore(work: PartWork) -> None:
    """Does nothing. This is the default observer."""


def work_of(stage: Stage, results: Iterable[Result], wall_s: float, cpu_s: float, bytes_written: int) -> PartWork:
    """Counts the outcomes and tokens of results that a stage has just computed. A record that goes on to another stage counts as kept."""
    ended, tokens = Counter[tuple[str, str, str]](), Counter[str]()
    for rows, outcomes in results:
        ended.update((outcome["subject"], outcome["status"], outcome["reason"]) for outcome in outcomes)
        if all(outcome["subject"] == Subject.VIEW.value for outcome in outcomes):
            ended[stage.subject.value, Status.KEPT.value, Reason.OK.value] += len(rows)
        for row in rows:
            tokens.update({way: row.get(f"tokens_{way}") or 0 for way in ("in", "out")})
    return PartWork(stage.name, +ended, wall_s, cpu_s, +tokens, bytes_written)
