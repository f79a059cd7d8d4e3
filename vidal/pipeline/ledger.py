"""The ledger: one terminal outcome per candidate, clip and view. Sums must balance or the shard is not committed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from vidal.errors import BalanceError
from vidal.schema import Reason, Status, Subject, View, encodable

Row = dict[str, Any]
DETAIL_MAX = 4_000  # A crawled error page must not swell the ledger.


def row(
    subject: Subject,
    id_: str,
    stage: str,
    status: Status,
    reason: Reason,
    *,
    detail: str = "",
    parent_id: str | None = None,
    view: View | None = None,
    transient: bool = False,
    attempts: int = 1,
    seconds: float = 0.0,
) -> Row:
    """One ledger row, dated now (UTC)."""
    return {
        "subject": subject.value,
        "id": id_,
        "parent_id": parent_id,
        "stage": stage,
        "view": view.value if view else None,
        "status": status.value,
        "reason": reason.value,
        "detail": encodable(detail[-DETAIL_MAX:]),
        "transient": transient,
        "attempts": attempts,
        "seconds": round(seconds, 4),
        "at": datetime.now(timezone.utc),
    }


def is_awaiting(outcome: Row) -> bool:
    """Whether another run of the same build tries this again: a view that failed and is transient, or was never made."""
    failed = outcome["subject"] == Subject.VIEW.value and outcome["status"] == Status.FAILED.value
    return outcome["reason"] == Reason.AWAITING_VIEWS.value or bool(failed and outcome["transient"])


def check_terminal(rows: Iterable[Row]) -> None:
    """Raises BalanceError where a subject has two last words."""
    counts = Counter((entry["subject"], entry["id"]) for entry in rows)
    if twice := [key for key, count in counts.items() if count > 1]:
        raise BalanceError(f"{len(twice)} subjects have more than one outcome, the first is {twice[0]}")


def check_stage(stage: str, subject: Subject, inputs: set[str], passed: set[str], rows: Iterable[Row]) -> Row:
    """kept + dropped + failed = input, by id and not only by number. Returns the counts, for the funnel."""
    ended = {status: set[str]() for status in (Status.DROPPED, Status.FAILED)}
    for entry in rows:
        if entry["stage"] == stage and entry["subject"] == subject.value and entry["status"] != Status.KEPT.value:
            ended[Status(entry["status"])].add(entry["id"])
    dropped, failed = ended[Status.DROPPED], ended[Status.FAILED]
    total = len(passed) + len(dropped) + len(failed)
    if total != len(inputs) or passed | dropped | failed != inputs:
        raise BalanceError(
            f"stage {stage}: {len(inputs)} in, but {len(passed)} kept + {len(dropped)} dropped + {len(failed)} failed"
        )
    return {"stage": stage, "in": len(inputs), "kept": len(passed), "dropped": len(dropped), "failed": len(failed)}


def check_views(clips: set[str], rows: Iterable[Row]) -> None:
    """Every clip of the manifest has one outcome for every view."""
    have = {entry["id"] for entry in rows if entry["subject"] == Subject.VIEW.value}
    want = {f"{clip}/{view.value}" for clip in clips for view in View}
    if missing := sorted(want - have):
        raise BalanceError(f"{len(missing)} views have no outcome, the first is {missing[0]}")
