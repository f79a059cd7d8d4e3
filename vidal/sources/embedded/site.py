"""Serves the embedded media as a website on loopback: a search page, an HTML page a video, files with Range."""

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

from vidal.sources.embedded.media import Entry, build, entries

HOST = "127.0.0.1"


class Site:
    """The handlers. Faults: http_404, html (a page served as video/mp4), truncate (the file ends early), drop_once."""

    def __init__(self, folder: Path, pages: list[Entry]):
        self._folder = folder
        self._entries = {entry.id: entry for entry in pages}
        self._dropped: set[str] = set()

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/search", self.search)
        app.router.add_get("/watch/{id}", self.watch)
        app.router.add_get("/media/{id}.{ext}", self.media)
        return app

    async def search(self, request: web.Request) -> web.Response:
        words = _words(request.query.get("q", ""))
        hits = [e for e in self._entries.values() if words and words <= _words(" ".join([e.title, *e.tags, e.note]))]
        items = "".join(f'<li><a class="result" href="/watch/{e.id}">{html.escape(e.title)}</a></li>' for e in hits)
        return _page("Search", f"<ol>{items}</ol>")

    async def watch(self, request: web.Request) -> web.Response:
        entry = self._entry(request)
        tags = " ".join(f"#{tag}" for tag in entry.tags)
        linked = {
            "@context": "https://schema.org",
            "@type": "AudioObject" if entry.kind == "audio" else "VideoObject",
            "name": entry.title,
            "description": f"{entry.title}. {tags}".strip(),
            "contentUrl": f"/media/{entry.id}.{entry.file.rsplit('.', 1)[-1]}",
            "duration": f"PT{entry.stated_s:g}S",
            "license": entry.licence,
            "creator": entry.uploader,
            "isBasedOn": entry.origin,
            "abstract": entry.note,
        }
        script = json.dumps(linked).replace("</", "<\\/")
        return _page(entry.title, f'<script type="application/ld+json">{script}</script><p>{html.escape(tags)}</p>')

    async def media(self, request: web.Request) -> web.StreamResponse:
        entry = self._entry(request)
        path = self._folder / entry.file
        if entry.fault == "http_404":
            raise web.HTTPNotFound
        if entry.fault == "html":
            return web.Response(text="<html><body>Please log in.</body></html>", content_type="video/mp4")
        if entry.fault == "truncate":
            data = path.read_bytes()
            return web.Response(body=data[: len(data) // 2], content_type="video/mp4")
        if entry.fault == "drop_once" and entry.id not in self._dropped:
            self._dropped.add(entry.id)
            return await _drop_half_way(request, path.read_bytes())
        return web.FileResponse(path)

    def _entry(self, request: web.Request) -> Entry:
        entry = self._entries.get(request.match_info["id"])
        if entry is None:
            raise web.HTTPNotFound
        return entry


async def _drop_half_way(request: web.Request, data: bytes) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": str(len(data)), "Content-Type": "video/mp4"})
    await response.prepare(request)
    await response.write(data[: len(data) // 2])
    await asyncio.sleep(0.05)  # Let the first half leave before the connection is cut.
    if request.transport is not None:
        request.transport.abort()
    return response


def _page(title: str, body: str) -> web.Response:
    text = f"<!doctype html><html><head><title>{html.escape(title)}</title></head><body>{body}</body></html>"
    return web.Response(text=text, content_type="text/html")


def _words(text: str) -> set[str]:
    return {word.rstrip("s") for word in re.findall(r"\w+", text.lower())}


@contextlib.contextmanager
def serve(app: web.Application, host: str = HOST) -> Iterator[str]:
    """Serves from a thread of this process, on a free port; gives the base URL."""
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
    with serve(Site(build(), entries()).app()) as url:
        yield url
