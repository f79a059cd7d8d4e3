"""Pages of one video whose titles are dangerous in file names, in terminals or in tables."""

from __future__ import annotations

import html
from collections.abc import Awaitable, Callable

from tests.hostile.exchange import Exchange

# The key is the word in the path, /title-WORD.html.
TITLES = {
    "unicode": "猫が走る 🐈 видео",
    "traversal": "../../../../../tmp/pwned",
    # NUL, bell, an escape sequence that colours a terminal, and one that reverses the text after it.
    "nul": "a cat\x00 runs\x07 \x1b[31mred\x1b[0m \u202egpm.exe",
    "long": ("a cat runs home " * 125)[:2000],
}


def titled(word: str) -> Callable[[Exchange], Awaitable[None]]:
    title = html.escape(TITLES[word])

    async def page(exchange: Exchange) -> None:
        head = (
            f"<title>{title}</title>\n"
            f'<meta property="og:title" content="{title}">\n'
            '<meta property="og:type" content="video.other">\n'
            '<meta property="og:description" content="A cat runs home. #cat #run">\n'
            f'<meta property="og:video" content="{exchange.base}/ok.mp4?t={word}">\n'
            '<meta property="og:video:type" content="video/mp4">\n'
        )
        text = f'<!doctype html><html><head><meta charset="utf-8">\n{head}</head><body></body></html>\n'
        await exchange.send(200, text.encode(), "text/html; charset=utf-8")

    return page


async def iframes(exchange: Exchange) -> None:
    """10 KB on which a regular expression for frames spends 40 s."""
    await exchange.send(200, b"<!doctype html><html><body>" + b'<iframe src="' * 800, "text/html; charset=utf-8")


async def nested(exchange: Exchange) -> None:
    """A page whose JSON-LD nests lists deeper than any stack."""
    script = b'<script type="application/ld+json">' + b"[" * 100_000 + b"</script>"
    await exchange.send(200, b"<!doctype html><html><head>" + script + b"</head></html>", "text/html; charset=utf-8")


ROUTES = {"/iframes.html": iframes, "/nested.html": nested} | {f"/title-{word}.html": titled(word) for word in TITLES}
