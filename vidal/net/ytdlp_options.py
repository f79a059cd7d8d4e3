"""The options with which the crawl starts yt-dlp."""

from __future__ import annotations

from vidal.media import ffmpeg
from vidal.net.settings import Crawl

Options = dict[str, object]


def ytdlp_options(crawl: Crawl, proxy: str | None, cookies_file: str | None) -> Options:
    """Returns the yt-dlp options of one client. proxy, cookies_file: those that the client uses; None if it uses none."""
    options: Options = {
        "quiet": True,
        "noprogress": True,
        "extract_flat": "in_playlist",
        "noplaylist": True,
        "format": crawl.format,
        "outtmpl": {"default": "media.%(ext)s"},
        "overwrites": True,
        "cachedir": False,
        "updatetime": False,
        "writethumbnail": False,
        # The governor makes and counts the attempts; retries by yt-dlp would hide some of them.
        "retries": 0,
        "fragment_retries": 0,
        "extractor_retries": 0,
        "file_access_retries": 0,
        "skip_unavailable_fragments": False,
        "socket_timeout": crawl.stall_s,
        "hls_prefer_native": True,
        "ffmpeg_location": ffmpeg.executable(),
        # A download is probed before any ffmpeg opens it, and re-encoding a file that is not an MP4 also repairs it.
        "fixup": "never",
        "extractor_args": {
            name: {key: list(values) for key, values in args.items()} for name, args in crawl.extractor_args.items()
        },
    }
    if crawl.subtitles:
        # Makes extractors list the subtitles. Our own code downloads them, so that a failure does not lose the video.
        options["writesubtitles"] = options["writeautomaticsub"] = True
    if cookies_file:
        options["cookiefile"] = cookies_file
    if crawl.netrc_file:
        options["usenetrc"], options["netrc_location"] = True, crawl.netrc_file
    if proxy:
        options["proxy"] = proxy
    if crawl.user_agent:
        options["http_headers"] = {"User-Agent": crawl.user_agent}
    if crawl.sleep_s[1]:
        options["sleep_interval"], options["max_sleep_interval"] = crawl.sleep_s
    if crawl.sleep_requests_s:
        options["sleep_interval_requests"] = crawl.sleep_requests_s
    return options
