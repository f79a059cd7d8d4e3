"""A platform on loopback with an extractor of yt-dlp's: it knows who asks by a cookie, and limits how many videos one may watch."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

from aiohttp import web
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.globals import extractors
from yt_dlp.utils import ExtractorError

from vidal.sources.embedded.site import serve

BOT_CHECK = "Sign in to confirm you're not a bot. Use --cookies-from-browser or --cookies for the authentication."


class VidalPlatformIE(InfoExtractor):
    """Reads the pages of the platform: /watch/ID answers with JSON, as yt-dlp's information about the video."""

    _VALID_URL = r"http://127\.0\.0\.1:\d+/watch/(?P<id>[\w-]+)"

    def _real_extract(self, url):
        page = self._download_json(url, self._match_id(url))
        if page.get("error"):
            raise ExtractorError(page["error"], expected=True)
        return {"id": self._match_id(url), "ext": "mp4", **page}


class Platform:
    """limit: how many videos one identity may watch in hour_s. banned: who gets a check for every video. robots: its robots.txt.

    watched: the times at which each identity was shown a video. refused: how many checks each identity got.
    """

    def __init__(self, media: Path, limit: int, hour_s: float, clock: Callable[[], float] = time.monotonic):
        self.media, self.limit, self.hour_s, self.clock = media, limit, hour_s, clock
        self.url, self.banned, self.robots = "", set[str](), ""
        self.watched: dict[str, list[float]] = {}
        self.refused: Counter[str] = Counter()
        self.fetched: Counter[str] = Counter()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/robots.txt", self._robots)
        app.router.add_get("/watch/{id}", self._watch)
        app.router.add_get("/media/{id}.mp4", self._media)
        return app

    async def _watch(self, request: web.Request) -> web.Response:
        who, now = request.cookies.get("who", "nobody"), self.clock()
        times = self.watched.setdefault(who, [])
        if who in self.banned or sum(at > now - self.hour_s for at in times) >= self.limit:
            self.refused[who] += 1
            return web.json_response({"error": BOT_CHECK})
        times.append(now)
        number = request.match_info["id"]
        return web.json_response({"title": f"A dog runs, take {number}", "url": f"{self.url}/media/{number}.mp4"})

    async def _robots(self, request: web.Request) -> web.Response:
        return web.Response(text=self.robots)

    async def _media(self, request: web.Request) -> web.StreamResponse:
        self.fetched[request.cookies.get("who", "nobody")] += 1
        return web.FileResponse(self.media)


@contextlib.contextmanager
def serve_platform(platform: Platform) -> Iterator[Platform]:
    """Serves the platform, and lets yt-dlp know its extractor meanwhile."""
    with serve(platform.app()) as platform.url, registered(VidalPlatformIE):
        yield platform


@contextlib.contextmanager
def registered(*kinds: type[InfoExtractor]) -> Iterator[None]:
    """Lets yt-dlp know these extractors, before its own."""
    with mock.patch.object(extractors, "value", {**{kind.__name__: kind for kind in kinds}, **extractors.value}):
        yield


def write_cookies(path: Path, who: str) -> Path:
    path.write_text(f"# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t0\twho\t{who}\n")
    return path
