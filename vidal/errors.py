"""All errors that vidal raises on purpose. Any other exception is a bug and is reported as one."""

from __future__ import annotations

from typing import Any

from vidal.schema import Reason, without_credentials


class VidalError(Exception):
    """Base class of all errors that vidal raises on purpose. User names and passwords in URLs are removed from the message."""

    def __init__(self, message: str = ""):
        super().__init__(without_credentials(message))


class UserError(VidalError):
    """The user's input is wrong. The message is one line that says what is wrong and how to fix it. Exit code 2."""


class DamagedError(UserError):
    """A file of a dataset differs from what was written: it must be restored, or its part or shard built again."""


class RecordError(VidalError):
    """One record cannot be processed; the others go on.

    reason: the reason in the ledger. detail: the original message of the failure. transient: whether a later attempt may succeed.
    attempts: how often the record was tried. retry_after_s: the pause in seconds that the server asked for, or None.
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
        self.detail = without_credentials(detail)
        self.transient = transient
        self.attempts = attempts
        self.retry_after_s = retry_after_s

    def __reduce__(self) -> tuple[Any, ...]:  # Exceptions with keyword arguments do not pickle by themselves.
        return (_rebuild, (self.reason, self.detail, self.transient, self.attempts, self.retry_after_s))


def _rebuild(reason: Reason, detail: str, transient: bool, attempts: int, retry_after_s: float | None) -> RecordError:
    return RecordError(reason, detail, transient=transient, attempts=attempts, retry_after_s=retry_after_s)


class HostPaused(RecordError):
    """No request may be sent to a host now: the host has asked for a pause, or keeps failing.

    retry_after_s: the seconds until the next request is allowed.
    """

    def __init__(self, detail: str, retry_after_s: float):
        super().__init__(Reason.BREAKER_OPEN, detail, transient=True, retry_after_s=retry_after_s)


class IdentityPaused(RecordError):
    """The identity (an account or a proxy of the user) that was chosen for this work may not be used now.

    retry_after_s: the seconds until it may be used or, with crawl.share_identities, until any identity may be used.
    """

    def __init__(self, detail: str, retry_after_s: float):
        super().__init__(Reason.IDENTITY_PAUSED, detail, transient=True, retry_after_s=retry_after_s)


class PutBack(VidalError):
    """A record has to wait; other records can be processed meanwhile. wait_s: the seconds until this one may be processed."""

    def __init__(self, wait_s: float):
        super().__init__(f"put back for {wait_s:.1f} s")
        self.wait_s = wait_s


class ModelError(VidalError):
    """A model refuses one input: its result for this input is absent, and the rest of the record is kept."""


class StorageError(VidalError):
    """The dataset cannot be read or written: a full disk, or a store that does not answer. This is not the fault of any record."""


class LockedError(StorageError):
    """Another process holds a lock of the dataset."""


class StageError(VidalError):
    """A stage cannot start: every process that tries to load its models dies."""


class RunEndedError(VidalError):
    """The process that controls this run has ended. The failures that this causes are not recorded: no record is at fault."""


# These end the run, because no record is to blame for them.
FATAL = (StageError, StorageError, RunEndedError, UserError)


class TrainingError(VidalError):
    """Training cannot go on: the loss is not finite, or too much of the data cannot be read. The last checkpoint stays valid."""


class BalanceError(VidalError):
    """The ledger does not have exactly one outcome for everything that entered a stage, so the shard must not be committed."""


def raised_by(error: BaseException, packages: tuple[str, ...]) -> str | None:
    """Returns which of the packages an error comes from: the one whose code is innermost in the traceback, or None.

    packages: names of top-level packages. The caller can thus tell a bug of vidal from an error that a library raises on untrusted input.
    """
    innermost = None
    frame = error.__traceback__
    while frame is not None:
        package = str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in packages:
            innermost = package
        frame = frame.tb_next
    return innermost
