"""Which addresses yt-dlp has an extractor for. yt-dlp asks its 1,800 extractors one after the other; this is the same answer, sooner."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.extractor.lazy_extractors import LazyLoadExtractor

_GENERIC = "Generic"
# Extractors that judge an address by their patterns alone share one of these functions. The others look closer at what their patterns
# match, mostly to leave it to another extractor: none of them claims an address that its own patterns do not match.
_BY_PATTERNS = {InfoExtractor.suitable.__func__, LazyLoadExtractor.suitable.__func__}


class Claims:
    """extractors: those of a yt_dlp.YoutubeDL by key. Remembers the last address: a candidate is described, then fetched."""

    def __init__(self, extractors: Mapping[str, Any]):
        named = [extractor for key, extractor in extractors.items() if key != _GENERIC]
        self._matches = [(pattern.match, extractor) for extractor in named for pattern in _patterns(extractor)]
        self._last: tuple[str, bool] | None = None

    def __call__(self, url: str) -> bool:
        """Whether yt-dlp has an extractor for the address, beside the one for any page."""
        if self._last is None or self._last[0] != url:
            self._last = (url, self._is_claimed(url))
        return self._last[1]

    def _is_claimed(self, url: str) -> bool:
        return any(_by_patterns(extractor) or extractor.suitable(url) for match, extractor in self._matches if match(url))


def _by_patterns(extractor: Any) -> bool:
    return extractor.suitable.__func__ in _BY_PATTERNS


def _patterns(extractor: Any) -> tuple[re.Pattern[str], ...]:
    """Compiled once a process, and kept where yt-dlp itself keeps them."""
    extractor._match_valid_url("")
    return extractor.__dict__.get("_VALID_URL_RE", ())
