"""Bodies that are not what their headers say."""

from __future__ import annotations

from tests.hostile.exchange import Exchange

_HTML = b"<!doctype html><html><head><title>Sorry</title></head><body><p>The video is not here.</p></body></html>\n"


async def ok(exchange: Exchange) -> None:
    await exchange.send(200, exchange.video, "video/mp4")


async def page(exchange: Exchange) -> None:
    await exchange.send(200, _HTML, "video/mp4")


async def plain(exchange: Exchange) -> None:
    await exchange.send(200, b"These are words.\n" * 100, "text/plain; charset=utf-8")


async def empty(exchange: Exchange) -> None:
    await exchange.send(200, b"", "video/mp4")


async def truncated(exchange: Exchange) -> None:
    """Sends half of the file with a Content-Length that agrees: only the file itself shows that it is cut."""
    await exchange.send(200, exchange.video[: len(exchange.video) // 2], "video/mp4")


async def length_long(exchange: Exchange) -> None:
    await exchange.head(200, "video/mp4", length=2 * len(exchange.video))
    await exchange.body(exchange.video)


async def length_short(exchange: Exchange) -> None:
    await exchange.head(200, "video/mp4", length=len(exchange.video) // 2)
    await exchange.body(exchange.video)


ROUTES = {
    "/ok.mp4": ok,
    "/page.mp4": page,
    "/plain.mp4": plain,
    "/empty.mp4": empty,
    "/truncated.mp4": truncated,
    "/length-long.mp4": length_long,
    "/length-short.mp4": length_short,
}
