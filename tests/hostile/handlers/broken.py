"""Answers that break HTTP, or the connection under it."""

from __future__ import annotations

import asyncio

from tests.hostile.exchange import Exchange

COOKIES = 300


async def bad_status(exchange: Exchange) -> None:
    await exchange.raw(b"HTTP/1.1 banana\r\nContent-Type: video/mp4\r\nConnection: close\r\n\r\n")
    await exchange.body(exchange.video)


async def reset(exchange: Exchange) -> None:
    await exchange.head(200, "video/mp4", length=max(4096, len(exchange.video)))
    if await exchange.body(exchange.video[:1024]):
        await asyncio.sleep(0.05)  # Some kernels drop what was not yet read when the reset arrives.
        exchange.reset()


async def cookie_bomb(exchange: Exchange) -> None:
    cookies = [("Set-Cookie", f"c{k}={'x' * 4096}; Path=/") for k in range(COOKIES)]
    await exchange.send(200, exchange.video, "video/mp4", *cookies)


ROUTES = {"/bad-status.mp4": bad_status, "/reset.mp4": reset, "/cookie-bomb.mp4": cookie_bomb}
