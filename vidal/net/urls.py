"""Checks the form of web addresses before any request."""

from __future__ import annotations

from urllib.parse import urlsplit

from vidal.errors import RecordError
from vidal.schema import Reason


def check_url(url: str) -> None:
    """Raises RecordError(bad_url) unless the address is http(s) and has a host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise RecordError(Reason.BAD_URL, f"{url[:200]}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise RecordError(Reason.BAD_URL, f"{url[:200]}: only http and https addresses with a host can be fetched")


def hostname(url: str) -> str:
    """Returns the host of an address without its port; empty if it has none."""
    return urlsplit(url).hostname or ""
