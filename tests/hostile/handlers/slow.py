"""Answers that keep a client waiting."""

from __future__ import annotations

from tests.hostile.exchange import Exchange

_LENGTH = 1 << 20


async def drip(exchange: Exchange) -> None:
    """A byte a second resets a timeout that counts from the last byte."""
    await exchange.head(200, "video/mp4", length=_LENGTH)
    position = 0
    while await exchange.body(exchange.video[position : position + 1] or b"\x00") and await exchange.pause(1.0):
        position += 1


async def stall(exchange: Exchange) -> None:
    await exchange.head(200, "video/mp4", length=_LENGTH)
    if await exchange.body(exchange.video[:1024]):
        await exchange.gone()


async def silent(exchange: Exchange) -> None:
    await exchange.gone()


ROUTES = {"/drip.mp4": drip, "/stall.mp4": stall, "/silent.mp4": silent}
