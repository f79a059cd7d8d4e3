"""Playlists: of local files, of private addresses, under a video's name, and of a thousand entries."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from tests.hostile.exchange import Exchange

ENTRIES = 1000
_HLS = "application/vnd.apple.mpegurl"
_LOCAL_FILE = "file:///etc/hostname"
_MANIFEST = f"""<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4" contentType="video">
<Representation id="1" bandwidth="100000" codecs="avc1.42c00d" width="64" height="48"><BaseURL>{_LOCAL_FILE}</BaseURL></Representation>
</AdaptationSet></Period></MPD>
"""


def hls(address: str, type_: str) -> Callable[[Exchange], Awaitable[None]]:
    """A finished HLS playlist whose two segments are at the address."""
    segment = f"#EXTINF:1.0,\n{address}\n"
    text = f"#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n{segment * 2}#EXT-X-ENDLIST\n"

    async def playlist(exchange: Exchange) -> None:
        await exchange.send(200, text.encode(), type_)

    return playlist


async def manifest(exchange: Exchange) -> None:
    """A DASH manifest, as a segment of an HLS playlist: FFmpeg recognises it by its bytes, and would open the file that it names."""
    await exchange.send(200, _MANIFEST.encode(), "video/mp2t")


async def ffconcat(exchange: Exchange) -> None:
    """FFmpeg recognises a concat script by its first line, whatever its type and its name are."""
    await exchange.send(200, b"ffconcat version 1.0\nfile '/etc/hostname'\nfile 'file:/etc/hostname'\n", "video/mp4")


async def rss(exchange: Exchange) -> None:
    await exchange.send(200, _rss(exchange.base, len(exchange.video)), "application/rss+xml; charset=utf-8")


async def page(exchange: Exchange) -> None:
    await exchange.send(200, _page(exchange.base), "text/html; charset=utf-8")


@functools.lru_cache
def _rss(base: str, length: int) -> bytes:
    items = (
        f"<item><title>Part {k}</title><link>{base}/ok.mp4?i={k}</link>"
        f'<enclosure url="{base}/ok.mp4?i={k}" length="{length}" type="video/mp4"/></item>\n'
        for k in range(ENTRIES)
    )
    channel = f"<title>A thousand parts</title><link>{base}/</link><description>All of them.</description>"
    return f'<?xml version="1.0"?>\n<rss version="2.0"><channel>{channel}\n{"".join(items)}</channel></rss>\n'.encode()


@functools.lru_cache
def _page(base: str) -> bytes:
    videos = "".join(f'<video src="{base}/ok.mp4?i={k}"></video>\n' for k in range(ENTRIES))
    return f"<!doctype html><html><head><title>A thousand</title></head><body>\n{videos}</body></html>\n".encode()


ROUTES = {
    "/playlist-file.m3u8": hls(_LOCAL_FILE, _HLS),
    "/playlist-manifest.m3u8": hls("manifest.ts", _HLS),
    "/manifest.ts": manifest,
    "/playlist-private.m3u8": hls("http://169.254.169.254/seg.ts", _HLS),
    "/playlist-hls.mp4": hls(_LOCAL_FILE, "video/mp4"),
    "/playlist-ffconcat.mp4": ffconcat,
    "/playlist-1000.rss": rss,
    "/playlist-1000.html": page,
}
