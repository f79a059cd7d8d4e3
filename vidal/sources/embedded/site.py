"""Serves the embedded media as a website on loopback: a search page, a page for each video or sound, and files with Range requests."""

from __future__ import annotations

import asyncio
import contextlib
import html
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path

from aiohttp import web

from vidal.sources.embedded.media import Page, build_media, list_pages

HOST = "127.0.0.1"


class Site:
    """The request handlers of the site.

    Faults of a page: http_404; html (an HTML page is served as video/mp4); truncate (the file ends early); drop_once (the
    connection is cut half way through the first answer).
    """

    def __init__(self, folder: Path, pages: list[Page]):
        self._folder = folder
        self._pages = {page.id: page for page in pages}
        self._dropped: set[str] = set()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/search", self.search)
        app.router.add_get("/watch/{id}", self.watch)
        app.router.add_get("/media/{id}.{ext}", self.media)
        return app

    async def search(self, request: web.Request) -> web.Response:
        words = _words(request.query.get("q", ""))
        hits = [page for page in self._pages.values() if words and words <= _words_of_page(page)]
        items = "".join(
            f'<li><a class="result" href="/watch/{page.id}">{html.escape(page.title)}</a></li>' for page in hits
        )
        return _html("Search", f"<ol>{items}</ol>")

    async def watch(self, request: web.Request) -> web.Response:
        page = self._find_page(request)
        tags = " ".join(f"#{tag}" for tag in page.tags)
        linked = {
            "@context": "https://schema.org",
            "@type": "AudioObject" if page.kind == "audio" else "VideoObject",
            "name": page.title,
            "description": f"{page.title}. {tags}".strip(),
            "contentUrl": f"/media/{page.id}.{page.file.rsplit('.', 1)[-1]}",
            "duration": f"PT{page.stated_s:g}S",
            "license": page.licence,
            "creator": page.uploader,
            "isBasedOn": page.origin,
            "abstract": page.note,
        }
        script = json.dumps(linked).replace("</", "<\\/")
        return _html(page.title, f'<script type="application/ld+json">{script}</script><p>{html.escape(tags)}</p>')

    async def media(self, request: web.Request) -> web.StreamResponse:
        page = self._find_page(request)
        path = self._folder / page.file
        if page.fault == "http_404":
            raise web.HTTPNotFound
        if page.fault == "html":
            return web.Response(text="<html><body>Please log in.</body></html>", content_type="video/mp4")
        if page.fault == "truncate":
            data = path.read_bytes()
            return web.Response(body=data[: len(data) // 2], content_type="video/mp4")
        if page.fault == "drop_once" and page.id not in self._dropped:
            self._dropped.add(page.id)
            return await _drop_half_way(request, path.read_bytes())
        return web.FileResponse(path)

    def _find_page(self, request: web.Request) -> Page:
        page = self._pages.get(request.match_info["id"])
        if page is None:
            raise web.HTTPNotFound
        return page


async def _drop_half_way(request: web.Request, data: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(data)), "Content-Type": "video/mp4"})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    await asyncio.sleep(0.05)  # So that the first half is sent before the connection is cut.
    if request.transport is not None:
        request.transport.abort()
    return response


def _html(title: str, body: str) -> web.Response:
    text = f"<!doctype html><html><head><title>{html.escape(title)}</title></head><body>{body}</body></html>"
    return web.Response(text=text, content_type="text/html")


def _words_of_page(page: Page) -> set[str]:
    return _words(" ".join([page.title, *page.tags, page.note]))


def _words(text: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall(r"\w+", text.lower())}


@contextlib.contextmanager
def serve(app: web.Application, host: str = HOST) -> Iterator[str]:
    """Serves the app from a thread of this process, on a free port. Yields the base URL."""
    loop = asyncio.new_event_loop()
    runner = web.AppRunner(app, access_log=None)
    loop.run_until_complete(runner.setup())
    site = web.TCPSite(runner, host, 0)
    loop.run_until_complete(site.start())
    port = runner.addresses[0][1]
    thread = threading.Thread(target=loop.run_forever, name="embedded-site", daemon=True)
    thread.start()
    try:
        yield f"http://{host}:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


@contextlib.contextmanager
def serve_embedded() -> Iterator[str]:
    with serve(Site(build_media(), list_pages()).app()) as url:
        yield url
