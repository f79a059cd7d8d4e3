"""Honest refusals by status: gone, unavailable, asked too often."""

from __future__ import annotations

import math

from tests.hostile.exchange import Exchange

_TEXT = "text/plain; charset=utf-8"


async def missing(exchange: Exchange) -> None:
    await exchange.send(404, b"There is no such file.\n", _TEXT)


async def gone(exchange: Exchange) -> None:
    await exchange.send(410, b"The author has taken this down.\n", _TEXT)


async def unavailable(exchange: Exchange) -> None:
    await exchange.send(503, b"Out of order.\n", _TEXT)


async def auth(exchange: Exchange) -> None:
    await exchange.send(401, b"Who are you?\n", _TEXT, ("WWW-Authenticate", 'Basic realm="videos"'))


async def forbidden(exchange: Exchange) -> None:
    await exchange.send(403, b"Not for you.\n", _TEXT)


async def rate_limited(exchange: Exchange) -> None:
    await _too_often(exchange, 1)


async def rate_limited_once(exchange: Exchange) -> None:
    if exchange.first:
        await _too_often(exchange, 2)
    else:
        await exchange.send(200, exchange.video, "video/mp4")


async def rate_limited_until(exchange: Exchange) -> None:
    """?seconds=S: the limit is lifted S seconds after the first request."""
    remaining_s = exchange.request.number("seconds", 5) - exchange.since_first_s
    if remaining_s > 0:
        await _too_often(exchange, math.ceil(remaining_s))
    else:
        await exchange.send(200, exchange.video, "video/mp4")


async def _too_often(exchange: Exchange, retry_after_s: int) -> None:
    await exchange.send(429, b"Too many requests.\n", _TEXT, ("Retry-After", str(retry_after_s)))


ROUTES = {
    "/missing.mp4": missing,
    "/gone.mp4": gone,
    "/unavailable.mp4": unavailable,
    "/auth.mp4": auth,
    "/forbidden.mp4": forbidden,
    "/rate-limited.mp4": rate_limited,
    "/rate-limited-once.mp4": rate_limited_once,
    "/rate-limited-until": rate_limited_until,
}
