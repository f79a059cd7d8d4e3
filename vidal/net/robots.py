"""Checks robots.txt (RFC 9309) and X-Robots-Tag: whether the host of a plain page or file allows fetching it."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from urllib.parse import urlsplit

from protego import Protego
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError

from vidal.errors import RecordError
from vidal.net.client import Client
from vidal.net.settings import PRODUCT
from vidal.schema import Reason

# RFC 9309, 2.5: at least 500 kibibytes must be parsed.
_MAX_BYTES = 512 * 1024


class Robots:
    """The robots.txt rules of each host, fetched once per worker. Safe to share between threads."""

    def __init__(self, user_agent: str | None):
        self._agent = (user_agent or PRODUCT).split("/")[0]
        self._rules: dict[str, Protego | None] = {}
        self._lock = threading.Lock()

    def check(self, client: Client, url: str) -> None:
        """Raises RecordError(robots) if the address is disallowed; the error is transient if robots.txt could not be read."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        with self._lock:
            is_known = site in self._rules
        if not is_known:
            fetched = self._fetch_rules(client, f"{site}/robots.txt")
            with self._lock:
                self._rules[site] = fetched
        rules = self._rules[site]
        if rules is not None and not rules.can_fetch(url, self._agent):
            raise RecordError(Reason.ROBOTS, f"{site}/robots.txt disallows it for {self._agent}")

    def _fetch_rules(self, client: Client, url: str) -> Protego | None:
        """Returns the rules, or None if the host has none. A host that cannot answer disallows everything (RFC 9309, 2.3.1.4)."""
        try:
            with client.urlopen(url) as response:
                text = _read_start(response)
        except HTTPError as error:
            if error.status == 429:
                raise
            if error.status < 500:
                return None
            raise RecordError(Reason.ROBOTS, f"{url} cannot be read: {error}", transient=True) from error
        return Protego.parse(text.decode("utf-8", errors="replace"))


def _read_start(response: Response) -> bytes:
    text = b""
    while len(text) < _MAX_BYTES and (chunk := response.read(_MAX_BYTES)):
        text += chunk
    return text


def check_opt_out(headers: Iterable[str], opt_out: tuple[str, ...], agent: str = PRODUCT) -> None:
    """Raises RecordError(opted_out) if a response opts out of machine learning.

    headers: all X-Robots-Tag headers of the response. A directive may name a crawler: "otherbot: noai" does not concern us.
    """
    for header in headers:
        scope = ""
        for part in header.lower().split(","):
            name, colon, rest = part.strip().partition(":")
            if colon and " " not in name:
                scope, part = name, rest
            if scope in ("", agent.lower()) and part.strip() in opt_out:
                raise RecordError(Reason.OPTED_OUT, f"X-Robots-Tag: {header[:200]}")
