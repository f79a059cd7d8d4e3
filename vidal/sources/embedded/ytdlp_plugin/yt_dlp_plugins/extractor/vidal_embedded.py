"""yt-dlp extractors for the embedded site, so that its discovery and download are yt-dlp's own.

`vidalembedded5:cat` searches; http://embedded.localhost/watch/ID is a page. The port of a run is not part of either:
pass it as extractor_args={"vidalembedded": {"base_url": ["http://127.0.0.1:PORT"]}}.
"""

import re
import urllib.parse

from yt_dlp.extractor.common import InfoExtractor, SearchInfoExtractor
from yt_dlp.utils import ExtractorError, clean_html, determine_ext, parse_duration

CANONICAL = "http://embedded.localhost"


class _EmbeddedBase(InfoExtractor):
    def _site(self):
        base = self._configuration_arg("base_url", [None], ie_key="VidalEmbedded", casesense=True)[0]
        if not base:
            raise ExtractorError(
                "the embedded site is not running: pass its base_url as extractor argument", expected=True
            )
        return base


class VidalEmbeddedIE(_EmbeddedBase):
    _VALID_URL = r"http://embedded\.localhost/watch/(?P<id>[\w-]+)"

    def _real_extract(self, url):
        page_id = self._match_id(url)
        page = self._download_webpage(f"{self._site()}/watch/{page_id}", page_id)
        found = next(self._yield_json_ld(page, page_id))
        media_url = urllib.parse.urljoin(self._site(), found["contentUrl"])
        sound = found["@type"] == "AudioObject"
        return {
            "id": page_id,
            "title": found["name"],
            "description": clean_html(found.get("description")),
            "duration": parse_duration(found.get("duration")),
            "uploader": found.get("creator"),
            "license": found.get("license"),
            "webpage_url": url,
            "formats": [{"url": media_url, "ext": determine_ext(media_url), **({"vcodec": "none"} if sound else {})}],
            "media_type": "audio" if sound else "video",
            "origin": found.get("isBasedOn"),
            "note": found.get("abstract"),
        }


class VidalEmbeddedSearchIE(_EmbeddedBase, SearchInfoExtractor):
    _SEARCH_KEY = "vidalembedded"
    IE_NAME = "vidalembedded:search"

    def _search_results(self, query):
        page = self._download_webpage(f"{self._site()}/search", query, query={"q": query})
        for page_id, title in re.findall(r'<a class="result" href="/watch/([\w-]+)">([^<]*)</a>', page):
            yield self.url_result(f"{CANONICAL}/watch/{page_id}", VidalEmbeddedIE, page_id, clean_html(title))
