"""Turns what a worker returns or raises for a record into the rows for the next stage and the rows of the ledger."""

from __future__ import annotations

import traceback

from vidal import schema
from vidal.errors import RecordError
from vidal.pipeline.incremental import Result
from vidal.pipeline.ledger import Outcome, outcome_row
from vidal.pipeline.stage import Drop, Output, Stage, ViewOutcome
from vidal.records import LedgerRow, Row
from vidal.schema import Reason, Status, Subject


def result_of(stage: Stage, record: Row, answer: Output | Drop, seconds: float) -> Result:
    """Returns the result of a record from the worker's answer. If a row does not fit its columns, the record fails (unstorable)."""
    if isinstance(answer, Drop):
        return [], [_record_row(stage, record, Outcome(Status.DROPPED, answer.reason, answer.detail), seconds)]
    rows = [dict(row) for row in answer.rows]
    try:
        schema.table(rows, stage.schema)
    except ValueError as error:
        return failure_of(stage, record, RecordError(Reason.UNSTORABLE, str(error)), seconds)
    outcomes = [_view_row(stage, record, view, seconds) for view in answer.views]
    if stage.terminal:
        passed = Outcome(Status.KEPT, detail=answer.detail, attempts=answer.attempts)
        outcomes.append(_record_row(stage, record, passed, seconds))
    return rows, outcomes


def failure_of(stage: Stage, record: Row, error: RecordError, seconds: float) -> Result:
    """Returns the result of a record that failed. If the stage only computes views, the clip goes on without them."""
    outcome = Outcome(Status.FAILED, error.reason, error.detail, error.transient, error.attempts)
    if stage.views is None or stage.empty is None:
        return [], [_record_row(stage, record, outcome, seconds)]
    fields = (outcome.status, outcome.reason, outcome.detail, outcome.transient, outcome.attempts)
    views = (ViewOutcome(view, *fields) for view in stage.views(record))
    return [dict(stage.empty(record))], [_view_row(stage, record, view, seconds) for view in views]


def quarantined(error: Exception) -> RecordError:
    """Returns a RecordError for an unexpected exception, with its traceback as the detail."""
    return RecordError(Reason.QUARANTINED, "".join(traceback.format_exception(error)))


def _record_row(stage: Stage, record: Row, outcome: Outcome, seconds: float) -> LedgerRow:
    parent_id = record.get("candidate_id") if stage.subject is Subject.CLIP else None
    return outcome_row(stage.subject, record[stage.key], stage.name, outcome, parent_id=parent_id, seconds=seconds)


def _view_row(stage: Stage, record: Row, view: ViewOutcome, seconds: float) -> LedgerRow:
    outcome = Outcome(view.status, view.reason, view.detail, view.transient, view.attempts)
    id_ = f"{record['clip_id']}/{view.view}"
    return outcome_row(
        Subject.VIEW, id_, stage.name, outcome, parent_id=record["clip_id"], view=view.view, seconds=seconds
    )
