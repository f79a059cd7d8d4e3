"""The files in which a site says what crawlers may fetch: robots.txt (RFC 9309), ai.txt and tdmrep.json (TDMRep)."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from protego import Protego
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError

from vidal.errors import RecordError
from vidal.net.settings import PRODUCT
from vidal.schema import Reason

if TYPE_CHECKING:
    from vidal.net.client import Client

# RFC 9309, 2.5: at least 500 kibibytes must be parsed.
_MAX_BYTES = 512 * 1024
_SITES_MAX = 10_000
_ROBOTS, _AI, _TDM = "/robots.txt", "/ai.txt", "/.well-known/tdmrep.json"


@dataclass(frozen=True)
class _Rules:
    """The rules of one site, one field per file. A field is None if the site lacks the file, or if the file is not obeyed.

    tdm: the rules of tdmrep.json on text and data mining, converted to the format of robots.txt.
    """

    robots: Protego | None
    ai: Protego | None
    tdm: Protego | None


class SiteRules:
    """Fetches the rules of sites, and keeps those of the 10,000 sites used most recently. Safe to share between threads.

    While one thread fetches the rules of a site, others that need them wait for it.

    user_agent: the recipe's User-Agent; None means vidal's own. obeys_opt_outs: whether ai.txt and tdmrep.json are obeyed too.
    """

    def __init__(self, user_agent: str | None, obeys_opt_outs: bool):
        self.agent = (user_agent or PRODUCT).split("/")[0]
        self._obeys_opt_outs = obeys_opt_outs
        self._rules: OrderedDict[str, _Rules] = OrderedDict()
        self._fetching: dict[str, threading.Event] = {}
        self._lock = threading.Lock()

    def check(self, client: Client, url: str) -> None:
        """Raises RecordError(robots) if robots.txt disallows the address, and RecordError(opted_out) if ai.txt or tdmrep.json does.

        Raises a transient RecordError(robots) if the server fails to deliver robots.txt.
        """
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc.rpartition('@')[2].lower()}"
        rules = self._rules_of(client, site)
        if rules.robots and not rules.robots.can_fetch(url, self.agent):
            raise RecordError(Reason.ROBOTS, f"{site}{_ROBOTS} disallows the address for {self.agent}")
        if rules.ai and not rules.ai.can_fetch(url, self.agent):
            raise RecordError(
                Reason.OPTED_OUT, f"the site opts out of machine learning: {site}{_AI} disallows the address"
            )
        if rules.tdm and not rules.tdm.can_fetch(url, self.agent):
            raise RecordError(
                Reason.OPTED_OUT, f"{site}{_TDM} reserves the text and data mining rights for the address"
            )

    def _rules_of(self, client: Client, site: str) -> _Rules:
        while True:
            with self._lock:
                if rules := self._rules.get(site):
                    self._rules.move_to_end(site)
                    return rules
                others_fetch = self._fetching.get(site)
                if others_fetch is None:
                    mine = self._fetching[site] = threading.Event()
                    break
            client.wait_for(others_fetch)  # If it fails, the next thread tries.
        try:
            return self._fetch(client, site)
        finally:
            with self._lock:
                del self._fetching[site]
            mine.set()

    def _fetch(self, client: Client, site: str) -> _Rules:
        robots = _read_robots(client, f"{site}{_ROBOTS}")
        ai = _read_optional(client, f"{site}{_AI}") if self._obeys_opt_outs else None
        tdm = _read_optional(client, f"{site}{_TDM}") if self._obeys_opt_outs else None
        rules = _Rules(robots, _parse_ai(ai), _parse_tdm(tdm))
        with self._lock:
            self._rules[site] = rules
            if len(self._rules) > _SITES_MAX:
                self._rules.popitem(last=False)
        return rules


def _read_robots(client: Client, url: str) -> Protego | None:
    """Returns the rules of robots.txt, or None if the host answers with an error status below 500, other than 429.

    Raises HTTPError for the status 429. Raises a transient RecordError(robots) for a status of 500 or more.
    """
    try:
        with client.open_rules(url) as response:
            return Protego.parse(_read_start(response))
    except HTTPError as error:
        if error.status == 429:
            raise
        if error.status < 500:
            return None
        # RFC 9309, 2.3.1.4: everything is disallowed while the server fails.
        raise RecordError(Reason.ROBOTS, f"{url} cannot be read: {error}", transient=True) from error


def _read_optional(client: Client, url: str) -> str | None:
    """Returns the text of a file, cut after 512 KiB; None if the host sends an HTML page in its place.

    If the host answers with an error status, returns None too, except that 429 raises HTTPError.
    """
    try:
        with client.open_rules(url) as response:
            text = _read_start(response)
    except HTTPError as error:
        if error.status == 429:
            raise
        return None
    return None if text.lstrip("\ufeff \t\r\n").startswith("<") else text


def _parse_ai(text: str | None) -> Protego | None:
    """Parses ai.txt, which has the form of robots.txt, with patterns such as *.mp4."""
    return Protego.parse(text) if text else None


def _parse_tdm(text: str | None) -> Protego | None:
    """Parses tdmrep.json: a list of {location, tdm-reservation}. A location is a pattern as in robots.txt."""
    try:
        rules = json.loads(text or "[]")
    except (ValueError, RecursionError):
        return None
    lines = [_tdm_line(rule) for rule in rules if isinstance(rule, dict)] if isinstance(rules, list) else []
    return Protego.parse("\n".join(["User-agent: *", *lines])) if lines else None


def _tdm_line(rule: dict[str, object]) -> str:
    location = "".join(str(rule.get("location") or "/").split())
    is_reserved = str(rule.get("tdm-reservation")).lower() in ("1", "true")
    return f"{'Disallow' if is_reserved else 'Allow'}: {location}"


def _read_start(response: Response) -> str:
    data = b""
    while len(data) < _MAX_BYTES and (chunk := response.read(_MAX_BYTES - len(data))):
        data += chunk
    return data.decode("utf-8", errors="replace")
