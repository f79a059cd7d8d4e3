"""Reads and checks web addresses before any request."""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import urlsplit

from vidal.errors import RecordError
from vidal.schema import Reason

_PORTS = {"http": 80, "https": 443, "socks4": 1080, "socks4a": 1080, "socks5": 1080, "socks5h": 1080}
# If an address has these characters, programs disagree about where its host begins or ends.
_AMBIGUOUS = re.compile(r"[\\\s\x00-\x1f]")


def check_url(url: str) -> None:
    """Raises RecordError(bad_url) for an address that cannot be fetched safely.

    These are addresses that are not http(s), that have no host, or whose host contains characters that programs read in different ways.
    """
    try:
        parts = urlsplit(url)
        host, _ = hostname(url), parts.port
    except ValueError as error:
        raise RecordError(Reason.BAD_URL, f"{url[:200]}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise RecordError(Reason.BAD_URL, f"{url[:200]}: only http and https addresses with a host can be fetched")
    if _AMBIGUOUS.search(parts.netloc) or "%" in parts.netloc.rpartition("@")[2].partition("[")[0]:
        raise RecordError(Reason.BAD_URL, f"{url[:200]}: its host has characters that a host cannot have")


def hostname(url: str) -> str:
    """Returns the host of an address without its port, in one notation: lower case, no full-width characters, no final dot."""
    host = unicodedata.normalize("NFKC", urlsplit(url).hostname or "").lower()
    return host.replace("\u3002", ".").rstrip(".")


def port_of(url: str) -> int:
    """Returns the port of an address, or the default port of its scheme."""
    parts = urlsplit(url)
    return parts.port or _PORTS.get(parts.scheme, 80)
