"""The ledger: one final outcome for each candidate, clip and view.

A shard is committed only if no record is lost: for each stage, kept + dropped + failed must equal the number of records that entered it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone

from vidal.errors import BalanceError
from vidal.records import FunnelRow, LedgerRow
from vidal.schema import Reason, Status, Subject, encodable, without_credentials

DETAIL_MAX = 4_000  # A crawled error page must not swell the ledger.


@dataclass(frozen=True)
class Outcome:
    """How a candidate, clip or view ended. detail: a text for the user, such as the message of the error.

    transient: whether a later attempt may succeed.
    """

    status: Status
    reason: Reason = Reason.OK
    detail: str = ""
    transient: bool = False
    attempts: int = 1


def clean_detail(text: str) -> str:
    """Returns a text as the ledger stores it: without passwords in addresses, and at most its last DETAIL_MAX characters."""
    cleaned: str = encodable(without_credentials(text)[-DETAIL_MAX:])
    return cleaned


def outcome_row(
    subject: Subject,
    id_: str,
    stage: str,
    outcome: Outcome,
    *,
    parent_id: str | None = None,
    view: str | None = None,
    seconds: float = 0.0,
) -> LedgerRow:
    """Returns one ledger row with the current time (UTC). The outcome's detail is stored as clean_detail returns it."""
    return {
        "subject": subject.value,
        "id": id_,
        "parent_id": parent_id,
        "stage": stage,
        "view": str(view) if view else None,
        "status": outcome.status.value,
        "reason": outcome.reason.value,
        "detail": clean_detail(outcome.detail),
        "transient": outcome.transient,
        "attempts": outcome.attempts,
        "seconds": round(seconds, 4),
        "at": datetime.now(timezone.utc),
    }


def is_awaiting(outcome: LedgerRow) -> bool:
    """Returns whether the next run must work on the clip or view of this row.

    It must work on a clip whose views are not computed yet, and on a view that failed transiently.
    """
    failed = outcome["subject"] == Subject.VIEW.value and outcome["status"] == Status.FAILED.value
    return outcome["reason"] == Reason.AWAITING_VIEWS.value or bool(failed and outcome["transient"])


def check_terminal(rows: Iterable[LedgerRow]) -> None:
    """Raises BalanceError if a candidate, clip or view has more than one terminal outcome."""
    counts = Counter((row["subject"], row["id"]) for row in rows)
    if repeated := [key for key, count in counts.items() if count > 1]:
        raise BalanceError(
            f"{len(repeated)} candidates, clips or views have more than one outcome, beginning with {repeated[0]}: report this bug"
        )


def check_stage(
    stage: str, subject: Subject, inputs: set[str], passed: set[str], rows: Iterable[LedgerRow]
) -> FunnelRow:
    """Checks that each record that entered a stage was either kept, dropped or failed. Returns how many were kept, dropped and failed.

    inputs: the ids of the records that entered the stage. passed: the ids of those that it kept. rows: the ledger, which may also have
    rows of other stages. Raises BalanceError if a record has no outcome or two outcomes.
    """
    ended = {status: set[str]() for status in (Status.DROPPED, Status.FAILED)}
    for row in rows:
        if row["stage"] == stage and row["subject"] == subject.value and row["status"] != Status.KEPT.value:
            ended[Status(row["status"])].add(row["id"])
    dropped, failed = ended[Status.DROPPED], ended[Status.FAILED]
    total = len(passed) + len(dropped) + len(failed)
    if total != len(inputs) or passed | dropped | failed != inputs:
        raise BalanceError(
            f"stage {stage} lost or repeated a record: {len(inputs)} in, but {len(passed)} kept + {len(dropped)} dropped + "
            f"{len(failed)} failed: report this bug"
        )
    return {"stage": stage, "in": len(inputs), "kept": len(passed), "dropped": len(dropped), "failed": len(failed)}


def check_views(clips: set[str], rows: Iterable[LedgerRow], views: Iterable[str]) -> None:
    """Raises BalanceError if a clip of the manifest has no outcome for one of the views."""
    present = {row["id"] for row in rows if row["subject"] == Subject.VIEW.value}
    expected = {f"{clip}/{view}" for view in views for clip in clips}
    if missing := sorted(expected - present):
        raise BalanceError(
            f"{len(missing)} views of clips have no outcome in the ledger, beginning with {missing[0]}: report this bug"
        )
