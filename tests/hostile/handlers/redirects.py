"""Redirects: without end, into private networks, out of HTTP. This server never connects to the addresses it names."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.hostile.exchange import Exchange

HOPS = 60


def to(address: str) -> Callable[[Exchange], Awaitable[None]]:
    async def redirect(exchange: Exchange) -> None:
        await exchange.send(302, b"", "text/plain", ("Location", address))

    return redirect


async def chain(exchange: Exchange) -> None:
    """?n=N: N hops, then the video."""
    hops = exchange.request.number("n", HOPS)
    if hops:
        await to(f"/redirect-chain.mp4?n={hops - 1}")(exchange)
    else:
        await exchange.send(200, exchange.video, "video/mp4")


ROUTES = {
    "/redirect-loop.mp4": to("/redirect-loop.mp4"),
    "/redirect-chain.mp4": chain,
    "/redirect-private.mp4": to("http://169.254.169.254/latest/meta-data/"),
    "/redirect-private-name.mp4": to("http://[::ffff:10.0.0.1]/x"),
    # 127.0.0.1 as one integer; port 1 has no listener.
    "/redirect-decimal.mp4": to("http://2130706433:1/x.mp4"),
    "/redirect-robots.mp4": to("/robots/secret.mp4"),
    "/redirect-file.mp4": to("file:///etc/hostname"),
    "/login.mp4": to("/login?next=%2Flogin.mp4"),
}
