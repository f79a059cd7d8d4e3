"""Runs yt-dlp's generic extractor in a process that can be killed.

That process has no network. vidal's client sends the extractor's requests, so that the limits of the crawl apply to them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yt_dlp.extractor.generic import GenericIE as _GenericIE
from yt_dlp.networking import Request
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, RequestError

from vidal.errors import RecordError
from vidal.media import limited
from vidal.media.settings import Limits
from vidal.net.errors import classify_error, find_own_error
from vidal.net.page import is_page, read_start
from vidal.net.page_extraction import PageAnswer, PageRequest, extract_page
from vidal.net.video_info import VideoInfo
from vidal.net.work_budget import WorkStopped
from vidal.schema import Reason

if TYPE_CHECKING:
    from vidal.net.client import Client

# A page whose media cannot be found with this many requests is taken for an endless loop.
_REQUESTS_MAX = 20
_MEMORY_BYTES = 900_000_000


class GenericIE(_GenericIE):  # type: ignore[misc]  # yt-dlp has no annotations. It finds the extractor by this name.
    """Takes the place of yt-dlp's generic extractor in a client. Runs that extractor in another process."""

    def _real_extract(self, url: str) -> VideoInfo:
        client: Client = self._downloader
        limits = Limits(client.crawl.page_cpu_s, _MEMORY_BYTES, 0, 0, cpu_key="crawl.page_cpu_s", memory_key=None)
        answers: dict[PageRequest, PageAnswer] = {}
        while len(answers) <= _REQUESTS_MAX:
            result = _call(limits, url, answers)
            if not isinstance(result, PageRequest):
                return result
            answers[result] = _ask(client, result)
        raise WorkStopped(
            RecordError(Reason.EXTRACTOR, f"yt-dlp needs more than {_REQUESTS_MAX} requests to read the page")
        )


def _call(limits: Limits, url: str, answers: dict[PageRequest, PageAnswer]) -> VideoInfo | PageRequest:
    try:
        result = limited.call(limits, extract_page, url, answers)
    except RecordError as error:
        raise WorkStopped(error) from error
    if isinstance(result, RecordError):
        raise WorkStopped(result)
    return result


def _ask(client: Any, request: PageRequest) -> PageAnswer:
    sent = Request(request.url, data=request.data, headers=dict(request.headers), method=request.method)
    try:
        with client.urlopen(sent) as response:
            return _answer_of(response)
    except HTTPError as error:
        return _answer_of(error.response)
    except RequestError as error:
        if find_own_error(error):
            raise
        return PageAnswer(error=classify_error(error))


def _answer_of(response: Response) -> PageAnswer:
    """Returns the response as a PageAnswer. Only the beginning of a media file is read, because yt-dlp needs no more of it."""
    body = read_start(response)
    content_type = (response.headers.get("Content-Type") or "").lower()
    is_file = (
        content_type.startswith(("video/", "audio/"))
        and not body.startswith(b"#EXTM3U")
        and not is_page(response, body)
    )
    if not is_file and not response.closed:
        body += response.read()
    return PageAnswer(response.url, response.status, tuple(response.headers.items()), body)
