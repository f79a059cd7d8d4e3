"""Finds out whether yt-dlp has an extractor for an address.

yt-dlp asks its extractors, about 1,800, one after the other. Here, only those whose patterns match the address are asked. This is faster
and gives the same answer.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.extractor.lazy_extractors import LazyLoadExtractor

_GENERIC = "Generic"
# Extractors that judge an address only by their patterns share one of these functions. The others look more closely at an
# address that matches their patterns, mostly to leave it to another extractor; none accepts an address that does not match.
_BY_PATTERNS = {InfoExtractor.suitable.__func__, LazyLoadExtractor.suitable.__func__}


class ExtractorMatcher:
    """Says whether yt-dlp has an extractor for an address. extractors: those of a yt_dlp.YoutubeDL, by key.

    The last answer is kept, because the same address is asked about when a candidate is described and when it is fetched.
    """

    def __init__(self, extractors: Mapping[str, Any]):
        named = [extractor for key, extractor in extractors.items() if key != _GENERIC]
        self._matchers = [(pattern.match, extractor) for extractor in named for pattern in _patterns_of(extractor)]
        self._last: tuple[str, bool] | None = None

    def has_extractor(self, url: str) -> bool:
        """Returns whether yt-dlp has an extractor for the address, besides the generic one for any page."""
        if self._last is None or self._last[0] != url:
            self._last = (url, self._match(url))
        return self._last[1]

    def _match(self, url: str) -> bool:
        candidates = (extractor for match, extractor in self._matchers if match(url))
        return any(_judges_by_patterns(extractor) or extractor.suitable(url) for extractor in candidates)


def _judges_by_patterns(extractor: Any) -> bool:
    return extractor.suitable.__func__ in _BY_PATTERNS


def _patterns_of(extractor: Any) -> tuple[re.Pattern[str], ...]:
    """Returns the compiled patterns of an extractor's addresses."""
    # This call makes yt-dlp compile the patterns, if this process has not compiled them before.
    extractor._match_valid_url("")
    patterns: tuple[re.Pattern[str], ...] = extractor.__dict__.get("_VALID_URL_RE", ())
    return patterns
