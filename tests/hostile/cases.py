"""The table: what each address does, how our crawler must judge it, and what no crawler may do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    """expect: the outcomes of our crawler that are right, "kept" or a reason. never: holds for any crawler.

    path: with its query. State is kept for each path and query: another query, such as &run=2, starts afresh.
    """

    name: str
    path: str
    does: str
    expect: tuple[str, ...]
    never: str
    tls: bool = False


# Outcomes of an address that must not be reached, however a library words it.
_UNREACHED = ("forbidden_address", "dns", "connection", "refused", "bad_url")

_NO_RETRY = "must not ask again: the answer is final"
_NO_BODY_KEPT = "must not keep the body of the answer as a video"
_BYTES = "must not read more bytes than its limit, and must keep nothing of the download"
_UNPACKED = "must not unpack more bytes than its limit, into memory or to disk, and must keep nothing of the download"
_CLOCK = "must give up within its time limit for the whole download, however often a byte arrives"
_CONNECT = "must not connect to the address that the answer names"
_LOCAL_FILE = "must not open a file of its own machine that an answer names"
_PART = "must not keep a part of a file as if it were the whole"
_MEDIA = "must not keep a file that does not decode as video or sound, whatever its Content-Type and name say"
_COST = "must not spend more CPU or memory on a file than its limits allow, and must go on with the next address"
_ENTRIES = "must not fetch a thousand files for one address, unless its settings allow playlists"
_TITLE = "must not let a title choose a file's name or folder, and must keep it as text that every reader can decode"
_OWNER = "must not keep a file that its owner has reserved"
_CRASH = "must not be affected beyond this address: no crash, no hang, no effect on the next one"

VALID = (
    Case("ok", "/ok.mp4", "The valid video.", ("kept",), "must not change the bytes that it keeps"),
    Case(
        "untrusted-tls",
        "/ok.mp4",
        "The valid video, over TLS with a certificate that nobody trusts.",
        ("tls",),
        "must not send a request over a connection whose certificate it cannot verify",
        tls=True,
    ),
)

STATUSES = (
    Case("missing", "/missing.mp4", "404.", ("http_404",), _NO_RETRY),
    Case("gone", "/gone.mp4", "410.", ("removed",), _NO_RETRY),
    Case(
        "auth",
        "/auth.mp4",
        "401 with a Basic challenge.",
        ("http_401",),
        "must not send credentials that its settings do not hold for this site",
    ),
    Case("forbidden", "/forbidden.mp4", "403.", ("http_403",), _NO_BODY_KEPT),
    Case(
        "unavailable", "/unavailable.mp4", "503, always.", ("http_5xx",), "must not ask more often than its retry limit"
    ),
    Case(
        "rate-limited",
        "/rate-limited.mp4",
        "429 with `Retry-After: 1`, always.",
        ("rate_limited",),
        "must not ask more often than its retry limit, or again before the second is over",
    ),
    Case(
        "rate-limited-once",
        "/rate-limited-once.mp4",
        "429 with `Retry-After: 2` the first time, then the video.",
        ("kept",),
        "must not ask again before the 2 s are over",
    ),
    Case(
        "rate-limited-until",
        "/rate-limited-until?seconds=3",
        "429 for 3 s after the first request, with the remaining time as `Retry-After`, then the video.",
        ("kept",),
        "must not ask again before the time that Retry-After gives is over",
    ),
)

BODIES = (
    Case("page", "/page.mp4", "An HTML page as `video/mp4`.", ("not_media",), _MEDIA),
    Case("plain", "/plain.mp4", "Plain text, as `text/plain`.", ("not_media",), _MEDIA),
    Case("empty", "/empty.mp4", "200 with zero bytes.", ("empty_file",), _MEDIA),
    Case("truncated", "/truncated.mp4", "Half of the file, with a Content-Length that agrees.", ("truncated",), _PART),
    Case("length-long", "/length-long.mp4", "Content-Length is twice the body.", ("incomplete",), _PART),
    Case("length-short", "/length-short.mp4", "Content-Length is half of the body.", ("truncated",), _PART),
)

ENDLESS = (
    Case("endless-video", "/endless.mp4", "A video without end, in chunks, at full speed.", ("too_large",), _BYTES),
    Case("endless-page", "/endless.html", "An HTML page without end, at full speed.", ("too_large",), _BYTES),
    Case(
        "endless-headers",
        "/headers-endless.mp4",
        "Response headers without end.",
        ("connection", "too_large", "timeout", "extractor"),
        "must not read headers for ever, or into memory without a limit",
    ),
    Case(
        "gzip-bomb-video", "/gzip-bomb.mp4", "10 MB of gzip that unpacks to 10 GiB of video.", ("too_large",), _UNPACKED
    ),
    Case(
        "gzip-bomb-page", "/gzip-bomb.html", "10 MB of gzip that unpacks to 10 GiB of HTML.", ("too_large",), _UNPACKED
    ),
    Case("drip", "/drip.mp4", "One byte of the body per second.", ("timeout",), _CLOCK),
    Case("stall", "/stall.mp4", "Headers, 1 KB of the body, then silence.", ("timeout",), _CLOCK),
    Case("silent", "/silent.mp4", "The server accepts the request and never answers.", ("timeout",), _CLOCK),
)

MEDIA = (
    Case("pictures-8k", "/8k.mp4", "A video of 2,500 pictures in 8K, of 28 bytes each.", ("too_costly",), _COST),
    Case("samples", "/samples.mp4", "A file of 1.6 KB whose tables claim 40 million samples.", ("too_costly",), _COST),
    Case("still-picture", "/still.mp4", "A GIF of one picture as `video/mp4`.", ("still_picture",), _MEDIA),
    Case("drawing", "/drawing.mp4", "An SVG as `video/mp4`.", ("not_media",), _MEDIA),
)

REDIRECTS = (
    Case(
        "redirect-loop",
        "/redirect-loop.mp4",
        "302 to itself.",
        ("redirect_loop",),
        "must not follow more redirects than its limit",
    ),
    Case(
        "redirect-chain",
        "/redirect-chain.mp4?n=60",
        "A chain of 60 redirects, then the video.",
        ("redirect_loop",),
        "must not follow more redirects than its limit",
    ),
    Case(
        "redirect-private",
        "/redirect-private.mp4",
        "302 to the metadata service of cloud machines, 169.254.169.254.",
        ("forbidden_address",),
        _CONNECT,
    ),
    Case(
        "redirect-private-name",
        "/redirect-private-name.mp4",
        "302 to 10.0.0.1, written as an IPv6 address.",
        ("forbidden_address",),
        _CONNECT,
    ),
    Case(
        "redirect-decimal", "/redirect-decimal.mp4", "302 to 127.0.0.1, written as one integer.", _UNREACHED, _CONNECT
    ),
    Case(
        "redirect-robots",
        "/redirect-robots.mp4",
        "302 to an address that `/robots.txt` disallows.",
        ("robots",),
        "must not request an address that robots.txt disallows, whatever leads there",
    ),
    Case("redirect-file", "/redirect-file.mp4", "302 to `file:///etc/hostname`.", ("forbidden_scheme",), _LOCAL_FILE),
)

PLAYLISTS = (
    Case(
        "playlist-file",
        "/playlist-file.m3u8",
        "An HLS playlist of `file:///etc/hostname`.",
        ("forbidden_scheme",),
        _LOCAL_FILE,
    ),
    Case(
        "playlist-manifest",
        "/playlist-manifest.m3u8",
        "An HLS playlist whose segment is a DASH manifest of `file:///etc/hostname`.",
        ("not_media",),
        _LOCAL_FILE,
    ),
    Case(
        "playlist-private",
        "/playlist-private.m3u8",
        "An HLS playlist of segments at 169.254.169.254.",
        ("forbidden_address",),
        _CONNECT,
    ),
    Case(
        "playlist-ffconcat",
        "/playlist-ffconcat.mp4",
        "An FFmpeg concat script of `/etc/hostname`, as `video/mp4`.",
        ("not_media",),
        _LOCAL_FILE,
    ),
    Case(
        "playlist-hls",
        "/playlist-hls.mp4",
        "An HLS playlist of `file:///etc/hostname`, as `video/mp4`.",
        ("not_media", "forbidden_scheme"),
        _LOCAL_FILE,
    ),
    Case("playlist-1000-rss", "/playlist-1000.rss", "An RSS feed of 1,000 enclosures.", ("playlist",), _ENTRIES),
    Case("playlist-1000-page", "/playlist-1000.html", "An HTML page of 1,000 videos.", ("playlist",), _ENTRIES),
)

TITLES = (
    Case("title-unicode", "/title-unicode.html", "A page titled in Han, Cyrillic and an emoji.", ("kept",), _TITLE),
    Case("title-traversal", "/title-traversal.html", "A page titled `../../../../../tmp/pwned`.", ("kept",), _TITLE),
    Case(
        "title-nul",
        "/title-nul.html",
        "A page whose title has a NUL, terminal escapes and a character that reverses the text direction.",
        ("kept",),
        _TITLE,
    ),
    Case("title-long", "/title-long.html", "A page with a title of 2,000 characters.", ("kept",), _TITLE),
)

PAGES = (
    Case(
        "page-iframes",
        "/iframes.html",
        'A page of 800 `<iframe src="` that are never closed.',
        ("unsupported_url", "extractor", "too_costly"),
        "must not spend more CPU on a page than its limit allows",
    ),
    Case(
        "page-nested",
        "/nested.html",
        "A page whose JSON-LD has 100,000 nested brackets.",
        ("unsupported_url", "extractor"),
        _CRASH,
    ),
)

REFUSALS = (
    Case(
        "robots",
        "/robots/secret.mp4",
        "The video, at an address that `/robots.txt` disallows for all crawlers.",
        ("robots",),
        "must not request an address that robots.txt disallows",
    ),
    Case("noai", "/noai.mp4", "The video with `X-Robots-Tag: noai`.", ("opted_out",), _OWNER),
    Case("noimageai", "/noimageai.mp4", "The video with `X-Robots-Tag: noimageai`.", ("opted_out",), _OWNER),
    Case(
        "noai-list",
        "/noai-list.mp4",
        "The video with `X-Robots-Tag: max-image-preview: large, noai`.",
        ("opted_out",),
        _OWNER,
    ),
    Case("noai-page", "/noai-page.html", "A page with `<meta name=robots content=NOAI>`.", ("opted_out",), _OWNER),
    Case("tdm-page", "/tdm-page.html", "A page with `<meta name=tdm-reservation content=1>`.", ("opted_out",), _OWNER),
    Case(
        "robots-page",
        "/robots-page.html",
        "A page whose video `/robots.txt` disallows.",
        ("robots",),
        "must not request an address that robots.txt disallows, whatever leads there",
    ),
    Case(
        "noai-other",
        "/noai-other.mp4",
        "The video with `X-Robots-Tag: otherbot: noai`.",
        ("kept",),
        "must not apply a refusal that names another crawler to itself",
    ),
    Case(
        "login",
        "/login.mp4",
        "302 to a page with a password form, which has status 200.",
        ("login_required",),
        _NO_BODY_KEPT,
    ),
    Case(
        "bot-check",
        "/bot-check.mp4",
        "403 with `cf-mitigated: challenge` and a challenge page.",
        ("bot_check",),
        "must not try to pass the challenge, or go on asking this host at the same rate",
    ),
)

BROKEN = (
    Case("bad-status", "/bad-status.mp4", "The status line is `HTTP/1.1 banana`.", ("connection", "extractor"), _CRASH),
    Case(
        "reset",
        "/reset.mp4",
        "The connection is reset (RST) after 1 KB of the body.",
        ("connection", "incomplete"),
        _PART,
    ),
    Case(
        "cookie-bomb",
        "/cookie-bomb.mp4",
        "300 Set-Cookie headers of 4 KB each, then the video.",
        ("kept", "connection", "extractor"),
        _CRASH,
    ),
)

CASES = (*VALID, *STATUSES, *BODIES, *ENDLESS, *MEDIA, *REDIRECTS, *PLAYLISTS, *TITLES, *PAGES, *REFUSALS, *BROKEN)


def table() -> str:
    """The cases as the Markdown table of README.md."""
    rows = [
        "| case | address | what it does | right for `vidal` | what any crawler must do |",
        "| --- | --- | --- | --- | --- |",
    ]
    for case in CASES:
        address = f"`{case.path}`" + (" (TLS)" if case.tls else "")
        outcomes = ", ".join(f"`{slug}`" for slug in case.expect)
        rows.append(f"| {case.name} | {address} | {case.does} | {outcomes} | {case.never} |")
    return "\n".join(rows) + "\n"
