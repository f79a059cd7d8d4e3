"""The result of a shard in numbers: a build prints it, and the summary of the shard keeps it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from vidal.pipeline import ledger
from vidal.records import AssembledRow, FunnelRow, LedgerRow
from vidal.schema import Reason, Status, Subject


@dataclass(frozen=True)
class ShardReport:
    """The result of a shard, in numbers. A dict holds a count for each key.

    rows: the clips in the manifest, by kind.
    funnel: how many records entered each stage, and how they ended.
    reasons: the candidates and clips that were not kept, by reason.
    views: the clips that have a view, by view.
    quarantined: the records that ended because of a bug. The next run of the same build tries them again.
    tokens: the tokens that the rewriter read ("in") and wrote ("out").
    contaminated: the clips that belong to an evaluation set, by set.
    failed_views: the views that failed for a transient reason. The next run of the same build tries them again.
    stale: the clips or candidates with results of an earlier version of a stage, by stage.
    done_before: whether nothing had to be done.
    cleaned_clips, cleaned_bytes: the clips whose media were deleted, and the size of these media.
    stage_only: the last stage that ran, if the shard was not to be committed.
    """

    shard: int
    rows: dict[str, int] = field(default_factory=dict)
    funnel: list[FunnelRow] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    views: dict[str, int] = field(default_factory=dict)
    quarantined: int = 0
    tokens: dict[str, int] = field(default_factory=dict)
    contaminated: dict[str, int] = field(default_factory=dict)
    failed_views: int = 0
    stale: dict[str, int] = field(default_factory=dict)
    done_before: bool = False
    cleaned_clips: int = 0
    cleaned_bytes: int = 0
    seconds: float = 0.0
    stage_only: str | None = None

    @property
    def is_empty(self) -> bool:
        return not self.rows and self.stage_only is None

    @property
    def is_faulty(self) -> bool:
        """Whether a record failed because of a bug, a view must be tried again, or no clip was kept."""
        return bool(self.quarantined or self.failed_views or self.is_empty)


def report_of(
    shard: int,
    kept: list[AssembledRow],
    outcomes: list[LedgerRow],
    funnel: list[FunnelRow],
    assembled: list[AssembledRow],
) -> ShardReport:
    """Counts the result of a shard.

    kept: rows of the manifest. assembled: rows of all clips that passed the stages. outcomes: rows of the ledger.
    """
    clips = {row["clip_id"] for row in kept}
    ended = [row for row in outcomes if row["subject"] != Subject.VIEW.value and row["status"] != Status.KEPT.value]
    own = [row for row in outcomes if row["parent_id"] in clips]
    return ShardReport(
        shard,
        rows=_counts(row["kind"] for row in kept),
        funnel=funnel,
        reasons=_counts(row["reason"] for row in ended),
        views=_counts(row["view"] for row in own if row["view"] and row["status"] == Status.KEPT.value),
        quarantined=sum(row["reason"] == Reason.QUARANTINED.value for row in outcomes),
        tokens={
            "in": sum(row["tokens_in"] or 0 for row in assembled),
            "out": sum(row["tokens_out"] or 0 for row in assembled),
        },
        contaminated=_counts(name for row in kept for name in row["contaminates"]),
        failed_views=sum(map(ledger.is_awaiting, own)),
    )


def _counts(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items()))
