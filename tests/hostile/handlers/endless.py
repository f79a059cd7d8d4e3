"""Answers without end, as fast as the socket takes them. The server cuts them off after its limit."""

from __future__ import annotations

import os

from tests.hostile.exchange import Exchange

# Random bytes, which compression on the way cannot shrink.
_NOISE = os.urandom(1 << 16)
_PARAGRAPHS = b"<p>The video is further down. Read on.</p>\n" * 1500
# A box of size 0 reaches to the end of the file: so a reader that stops anywhere has a valid video.
_REST_OF_FILE = b"\x00\x00\x00\x00mdat"


async def video(exchange: Exchange) -> None:
    await exchange.head(200, "video/mp4", length=None)
    await exchange.body(exchange.video + _REST_OF_FILE)
    while await exchange.body(_NOISE):
        pass


async def page(exchange: Exchange) -> None:
    await exchange.head(200, "text/html; charset=utf-8", length=None)
    await exchange.body(b"<!doctype html><html><head><title>A long page</title></head><body>\n")
    while await exchange.body(_PARAGRAPHS):
        pass


async def headers(exchange: Exchange) -> None:
    """Sends headers without end, for HEAD requests as well."""
    await exchange.raw(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\n")
    number = 0
    while True:
        lines = (f"X-Header-{number + line}: {'x' * 80}\r\n" for line in range(500))
        await exchange.raw("".join(lines).encode())
        number += 500


ROUTES = {"/endless.mp4": video, "/endless.html": page, "/headers-endless.mp4": headers}
