"""Finds the media of a page in a process that can be killed, because yt-dlp may need hours for a malicious page.

The process has no network. When yt-dlp wants to send a request, the extraction ends and returns the request; the caller sends it and
repeats the extraction with the answer.
"""

from __future__ import annotations

import functools
import io
import itertools
from dataclasses import dataclass
from typing import Any

import yt_dlp
from yt_dlp.networking import Request
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, TransportError
from yt_dlp.utils import DownloadCancelled, YoutubeDLError

from vidal.errors import RecordError
from vidal.net.errors import classify_error
from vidal.net.video_info import VideoInfo
from vidal.schema import Reason

# The most entries that are read. A page with so many is a list of videos, whatever its other entries are.
_ENTRIES_MAX = 1001
_FORMATS_MAX = 2000


@dataclass(frozen=True)
class PageRequest:
    """A request that yt-dlp wants to send."""

    url: str
    method: str
    headers: tuple[tuple[str, str], ...]
    data: bytes | None


@dataclass(frozen=True)
class PageAnswer:
    """The answer to a request: a server's answer with any status, or the error that occurred instead of an answer."""

    url: str = ""
    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    error: RecordError | None = None


def extract_page(url: str, answers: dict[PageRequest, PageAnswer]) -> VideoInfo | PageRequest | RecordError:
    """Returns yt-dlp's information about a page, or the next request that yt-dlp wants to send, or an error if the extraction fails.

    answers: the answers to the requests that earlier calls returned.
    """
    replay = _replay()
    replay.answers = answers
    try:
        info = replay.extract_info(url, download=False, process=False, force_generic_extractor=True)
        return _bounded(replay, info)
    except _Needs as needs:
        return needs.request
    except Exception as error:  # noqa: BLE001 - whatever a page makes yt-dlp raise is the page's outcome.
        return _outcome_of(error)


class _Needs(DownloadCancelled):  # type: ignore[misc]  # yt-dlp has no annotations, and passes this on unchanged.
    def __init__(self, request: PageRequest):
        super().__init__(request.url)
        self.request = request


class _Replay(yt_dlp.YoutubeDL):  # type: ignore[misc]  # yt-dlp has no annotations.
    """A YoutubeDL without a network, whose requests are answered from `answers`."""

    answers: dict[PageRequest, PageAnswer]

    def urlopen(self, req: Request | str) -> Response:
        request = Request(req) if isinstance(req, str) else req
        key = PageRequest(request.url, request.method, tuple(sorted(request.headers.items())), _data(request))
        if key not in self.answers:
            raise _Needs(key)
        answer = self.answers[key]
        if answer.error:
            raise TransportError(str(answer.error)) from answer.error
        response = Response(io.BytesIO(answer.body), answer.url, dict(answer.headers), answer.status)
        if not 200 <= answer.status < 300:
            raise HTTPError(response)
        return response


@functools.lru_cache(maxsize=1)
def _replay() -> _Replay:
    options = {
        "quiet": True,
        "no_warnings": True,
        "cachedir": False,
        "extractor_retries": 0,
        "noplaylist": True,
        "proxy": "",
    }
    return _Replay({**options, "logger": _Silent(), "extract_flat": "in_playlist"})


class _Silent:
    """A logger without output, because errors are raised as exceptions."""

    def debug(self, message: str) -> None: ...
    def info(self, message: str) -> None: ...
    def warning(self, message: str) -> None: ...
    def error(self, message: str) -> None: ...


def _data(request: Request) -> bytes | None:
    data = request.data
    return data if data is None or isinstance(data, bytes) else b"".join(data)


def _bounded(replay: _Replay, info: Any) -> VideoInfo | RecordError:
    """Converts what yt-dlp knows about a page to plain values, and limits the number of entries and formats.

    Returns an error if `info` is None.
    """
    if info is None:
        return RecordError(Reason.EXTRACTOR, "yt-dlp found nothing at the address")
    if "entries" in info:
        info["entries"] = list(itertools.islice(info["entries"], _ENTRIES_MAX))
    info["formats"] = list(itertools.islice(info.get("formats") or (), _FORMATS_MAX)) or None
    plain: VideoInfo = replay.sanitize_info({key: value for key, value in info.items() if value is not None})
    return plain


def _outcome_of(error: Exception) -> RecordError:
    if isinstance(error, YoutubeDLError):
        return classify_error(error)
    return RecordError(Reason.EXTRACTOR, f"{type(error).__name__}: {error}")
