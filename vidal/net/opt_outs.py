"""Finds out whether a response opts out of machine learning: by X-Robots-Tag, by meta tags, or by the headers of TDMRep.

A response may be malicious. Reading it takes linear time, so it cannot slow down the crawl.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from vidal.errors import RecordError
from vidal.schema import Reason

# Directives whose value follows a colon: here, the word before the colon is not the name of a crawler.
_WITH_VALUE = {"max-snippet", "max-image-preview", "max-video-preview", "unavailable_after", "unavailable-after"}
_EVERYONE = {"*", "all", "any", "robots"}
_SEPARATORS = re.compile(r"[,;|\r\n]")
_NAMED = re.compile(r"\s*([A-Za-z*][\w.*/-]*)\s*:(.*)", re.S)
_WORD = re.compile(r"[\w-]+")
# The beginning of a comment, or of a meta tag of at most 2,000 characters.
_META = re.compile(r"<!--|<meta\b([^>]{0,2000})", re.I)
_ATTRIBUTE = re.compile(r"""(?<![\w-])([\w-]{1,40})\s*=\s*("[^"]*"|'[^']*'|[^\s"'>]+)""")
TDM = "tdm-reservation"


def check_headers(tags: Iterable[str], reservations: Iterable[str], opt_out: tuple[str, ...], agent: str) -> None:
    """Raises RecordError(opted_out) if the headers of a response opt out of machine learning.

    tags: all X-Robots-Tag headers; reservations: all tdm-reservation headers. opt_out: the directives that count. agent: the name of
    this crawler.
    """
    for value in tags:
        if opts_out(value, opt_out, agent):
            raise RecordError(
                Reason.OPTED_OUT, f"the server opts out of machine learning by the header X-Robots-Tag: {value[:200]}"
            )
    for value in reservations:
        if opt_out and _is_reserved(value):
            raise RecordError(
                Reason.OPTED_OUT, f"the server opts out of machine learning by the header {TDM}: {value[:200]}"
            )


def check_page(page: str, opt_out: tuple[str, ...], agent: str) -> None:
    """Raises RecordError(opted_out) if a meta tag for all robots or for this crawler opts out, or if the meta tag of TDMRep does.

    page: its text. opt_out: the directives that count. agent: the name of this crawler.
    """
    for name, content in _meta_tags(page):
        if name in (*_EVERYONE, agent.lower()) and opts_out(content, opt_out, agent):
            raise RecordError(
                Reason.OPTED_OUT, f"the page opts out of machine learning by the meta tag {name}: {content[:200]}"
            )
        if name == TDM and opt_out and _is_reserved(content):
            raise RecordError(
                Reason.OPTED_OUT, f"the page opts out of machine learning by the meta tag {name}: {content[:200]}"
            )


def opts_out(value: str, opt_out: tuple[str, ...], agent: str) -> bool:
    """Returns whether the directives in `value` opt out for `agent`. A name in front ("otherbot: noai") limits them to that crawler."""
    wanted, is_for_us = {word.lower() for word in opt_out}, True
    for part in _SEPARATORS.split(value.lower()):
        named = _NAMED.fullmatch(part)
        words = _WORD.findall(named[2] if named else part)
        if named and named[1] in _WITH_VALUE:
            words = [] if named[1].startswith("unavailable") else words[1:]
        elif named and named[1] in wanted:
            words.append(named[1])
        elif named:
            is_for_us = named[1] in _EVERYONE or named[1].partition("/")[0] == agent.lower()
        if is_for_us and not wanted.isdisjoint(words):
            return True
    return False


def _is_reserved(value: str) -> bool:
    return "1" in _WORD.findall(value)


def _meta_tags(page: str) -> Iterator[tuple[str, str]]:
    """Yields (name in lower case, content) of each meta tag of a page, except for those in comments."""
    position = 0
    while tag := _META.search(page, position):
        position = tag.end()
        if tag[1] is None:
            position = page.find("-->", position)
            if position < 0:
                return
            continue
        attributes = {name.lower(): html.unescape(value.strip("\"'")) for name, value in _ATTRIBUTE.findall(tag[1])}
        name = attributes.get("name") or attributes.get("property") or attributes.get("http-equiv") or ""
        yield name.strip().lower().replace("x-robots-tag", "robots"), attributes.get("content", "")
