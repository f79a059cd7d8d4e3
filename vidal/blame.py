"""Whose code raised an exception: what a library raises on untrusted input is an outcome, what our own code raises is a bug."""

from __future__ import annotations


def raised_by(error: BaseException, packages: tuple[str, ...]) -> str | None:
    """The one of the packages in whose code, or in a library below it, the exception was raised; None where it met none of them."""
    innermost = None
    frame = error.__traceback__
    while frame is not None:
        package = str(frame.tb_frame.f_globals.get("__name__", "")).partition(".")[0]
        if package in packages:
            innermost = package
        frame = frame.tb_next
    return innermost
