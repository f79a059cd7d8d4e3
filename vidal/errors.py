"""The errors of the house, drawn once. Everything else that is raised is a bug and is reported as one."""

from __future__ import annotations

from typing import Any

from vidal.schema import Reason


class VidalError(Exception):
    """Base of all errors raised on purpose."""


class UserError(VidalError):
    """The user's input is wrong: one line that says what and how to mend it. Exit code 2."""


class DamagedError(UserError):
    """A file of a dataset is not what was written: it has to be restored, or what it belongs to built again."""


class RecordError(VidalError):
    """One record cannot be processed; the others go on.

    reason: slug for the ledger; detail: the true message of what failed; transient: whether trying
    again later may help; attempts: how often it was tried; retry_after_s: what the server asked for.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        transient: bool = False,
        attempts: int = 1,
        retry_after_s: float | None = None,
    ):
        super().__init__(f"{reason.value}: {detail}")
        self.reason = reason
        self.detail = detail
        self.transient = transient
        self.attempts = attempts
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:  # Exceptions with keyword arguments do not pickle by themselves.
        return (_rebuild, (self.reason, self.detail, self.transient, self.attempts, self.retry_after_s))


def _rebuild(reason: Reason, detail: str, transient: bool, attempts: int, retry_after_s: float | None) -> RecordError:
    return RecordError(reason, detail, transient=transient, attempts=attempts, retry_after_s=retry_after_s)


class ModelError(VidalError):
    """A model refuses one input: what it would have said of it is absent, the rest of the record stands."""


class StorageError(VidalError):
    """The dataset cannot be read or written: a full disk, a store that does not answer. It is no record's fault."""


class StageError(VidalError):
    """A stage cannot be opened: its process dies whenever it loads its models."""


class RunEndedError(VidalError):
    """The process that drives this run is gone: what failed for want of it is no outcome, and is not recorded."""


# These end the run: no record is to blame for them.
FATAL = (StageError, StorageError, RunEndedError, UserError)


class TrainingError(VidalError):
    """Training cannot go on: the loss is no number, or too much of the data cannot be read. The last checkpoint stands."""


class BalanceError(VidalError):
    """kept + dropped + failed is not the input: the shard must not be committed."""


def raised_by(error: BaseException, packages: tuple[str, ...]) -> str | None:
    """The one of the packages in whose code, or in a library that it called, the exception was raised; None if it was in none.

    What a library raises on untrusted input is an outcome; what our own code raises is a bug.
    """
    innermost = None
    frame = error.__traceback__
    while frame is not None:
        package = str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in packages:
            innermost = package
        frame = frame.tb_next
    return innermost
