"""yt-dlp extractors for the embedded site, so that it is searched and downloaded like any other site.

`vidalembedded5:cat` searches for "cat" and returns at most 5 pages; http://embedded.localhost/watch/ID is a page. These addresses do not
contain the port on which the site is served: pass it as extractor_args={"vidalembedded": {"base_url": ["http://127.0.0.1:PORT"]}}.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from yt_dlp.extractor.common import InfoExtractor, SearchInfoExtractor
from yt_dlp.utils import ExtractorError, clean_html, determine_ext, parse_duration

CANONICAL = "http://embedded.localhost"


class _EmbeddedBase(InfoExtractor):  # type: ignore[misc]  # yt-dlp has no annotations.
    def _site(self) -> str:
        base: str | None = self._configuration_arg("base_url", [None], ie_key="VidalEmbedded", casesense=True)[0]
        if not base:
            raise ExtractorError(
                "the address of the embedded site is unknown: pass it as the extractor argument base_url", expected=True
            )
        return base


class VidalEmbeddedIE(_EmbeddedBase):
    _VALID_URL = r"http://embedded\.localhost/watch/(?P<id>[\w-]+)"

    def _real_extract(self, url: str) -> dict[str, Any]:
        page_id = self._match_id(url)
        page = self._download_webpage(f"{self._site()}/watch/{page_id}", page_id)
        linked = next(self._yield_json_ld(page, page_id))
        media_url = urllib.parse.urljoin(self._site(), linked["contentUrl"])
        is_sound = linked["@type"] == "AudioObject"
        return {
            "id": page_id,
            "title": linked["name"],
            "description": clean_html(linked.get("description")),
            "duration": parse_duration(linked.get("duration")),
            "uploader": linked.get("creator"),
            "license": linked.get("license"),
            "webpage_url": url,
            "formats": [
                {"url": media_url, "ext": determine_ext(media_url), **({"vcodec": "none"} if is_sound else {})}
            ],
            "media_type": "audio" if is_sound else "video",
            "origin": linked.get("isBasedOn"),
            "note": linked.get("abstract"),
        }


class VidalEmbeddedSearchIE(_EmbeddedBase, SearchInfoExtractor):  # type: ignore[misc]  # yt-dlp has no annotations.
    _SEARCH_KEY = "vidalembedded"
    IE_NAME = "vidalembedded:search"

    def _search_results(self, query: str) -> Iterator[dict[str, Any]]:
        page = self._download_webpage(f"{self._site()}/search", query, query={"q": query})
        for page_id, title in re.findall(r'<a class="result" href="/watch/([\w-]+)">([^<]*)</a>', page):
            yield self.url_result(f"{CANONICAL}/watch/{page_id}", VidalEmbeddedIE, page_id, clean_html(title))
