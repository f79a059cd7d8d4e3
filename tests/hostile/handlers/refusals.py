"""Refusals of site owners: by robots.txt, by a header, by a login, by a challenge."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from tests.hostile.exchange import Exchange

_HTML = "text/html; charset=utf-8"


async def robots(exchange: Exchange) -> None:
    await exchange.send(200, b"User-agent: *\nDisallow: /robots/\n", "text/plain; charset=utf-8")


def tagged(*directives: str) -> Callable[[Exchange], Awaitable[None]]:
    """Sends the video with an X-Robots-Tag header."""
    headers = [("X-Robots-Tag", directive) for directive in directives]

    async def video(exchange: Exchange) -> None:
        await exchange.send(200, exchange.video, "video/mp4", *headers)

    return video


def page_of(head: str, video: str = "/ok.mp4") -> Callable[[Exchange], Awaitable[None]]:
    """Sends a page of one video, with more in its head."""
    page = f'<!doctype html><html><head><title>A film</title>{head}</head><body><video src="{video}"></video></body></html>\n'

    async def send(exchange: Exchange) -> None:
        await exchange.send(200, page.encode(), _HTML)

    return send


async def login(exchange: Exchange) -> None:
    form = (
        b"<!doctype html><html><head><title>Log in</title></head><body><h1>Log in to go on</h1>\n"
        b'<form method="post" action="/login"><input name="user" autocomplete="username">\n'
        b'<input type="password" name="password"><button>Log in</button></form></body></html>\n'
    )
    await exchange.send(200, form, _HTML)


async def challenge(exchange: Exchange) -> None:
    page = (
        b"<!doctype html><html><head><title>Just a moment...</title></head>\n"
        b"<body><h1>Checking that you are human</h1><noscript>Enable JavaScript to go on.</noscript></body></html>\n"
    )
    await exchange.send(403, page, _HTML, ("cf-mitigated", "challenge"))


ROUTES = {
    "/robots.txt": robots,
    "/robots/secret.mp4": tagged(),
    "/noai.mp4": tagged("noai"),
    "/noimageai.mp4": tagged("noimageai"),
    "/noai-list.mp4": tagged("max-image-preview: large, noai"),
    "/noai-page.html": page_of('<meta name="robots" content="NOAI, nofollow">'),
    "/tdm-page.html": page_of('<meta name="tdm-reservation" content="1">'),
    "/robots-page.html": page_of("", "/robots/secret.mp4"),
    "/noai-other.mp4": tagged("otherbot: noai"),
    "/login": login,
    "/bot-check.mp4": challenge,
}
