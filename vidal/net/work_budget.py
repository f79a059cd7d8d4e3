"""The limits of one call of a source (describe, search or fetch): seconds in total, bytes in total, and bytes per page."""

from __future__ import annotations

import time
from collections.abc import Callable

from yt_dlp.networking.common import Response
from yt_dlp.utils import DownloadCancelled

from vidal.errors import RecordError
from vidal.schema import Reason

_CHUNK_BYTES = 64 * 1024
# Takes a number of bytes and returns at most as many decoded bytes: those that have arrived, or b"" at the end.
Read = Callable[[int], bytes]


class WorkStopped(DownloadCancelled):  # type: ignore[misc]  # yt-dlp has no annotations.
    """Carries a RecordError through yt-dlp, which wraps or swallows any other exception."""

    def __init__(self, error: RecordError):
        super().__init__(str(error))
        self.error = error


class WorkBudget:
    """The limits of one call of a source. Time spent waiting because of limits on requests does not count.

    spent_s: the seconds that earlier calls for the same candidate took. deadline: the end of the allowed time, as a value of
    time.monotonic(). waited_s: the seconds spent waiting; the deadline was extended by as much. is_over: whether the watchdog has shut
    the connections, because the time was up.
    """

    def __init__(self, timeout_s: float, max_bytes: int, page_max_bytes: int, spent_s: float = 0.0):
        self._timeout_s, self._max_bytes, self._page_max_bytes = timeout_s, max_bytes, page_max_bytes
        self.deadline = time.monotonic() + timeout_s - spent_s
        self.waited_s = 0.0
        self._bytes = 0
        self.is_over = False

    def extend(self, seconds: float) -> None:
        self.deadline += seconds
        self.waited_s += seconds

    def check(self) -> None:
        """Raises WorkStopped(timeout) if the time is used up."""
        if self.is_over or time.monotonic() > self.deadline:
            raise WorkStopped(self.timeout_error())

    def timeout_error(self) -> RecordError:
        return RecordError(
            Reason.TIMEOUT,
            f"fetching took longer than the {self._timeout_s:g} s that crawl.timeout_s allows",
            transient=True,
        )

    def bound(self, response: Response) -> Response:
        """Replaces the `read` of a response by one that counts the bytes and checks the limits, and returns the response.

        `read(amount)` returns as soon as any bytes have arrived; `read()` returns a whole page. Raises WorkStopped(too_large) at once if
        the response states more bytes than are allowed.
        """
        stated_bytes = response.headers.get("Content-Length") or ""
        if stated_bytes.isdecimal() and int(stated_bytes) > self._max_bytes:
            detail = (
                f"the download has {stated_bytes} bytes, more than the {self._max_bytes} that crawl.max_bytes allows"
            )
            raise WorkStopped(RecordError(Reason.TOO_LARGE, detail))
        read_available = _make_reader(response)

        def read(amount: int | None = None) -> bytes:
            if amount is None:
                return self._read_page(read_available)
            return self._count(read_available(amount))

        response.read = read
        return response

    def _read_page(self, read_available: Read) -> bytes:
        chunks, total = [], 0
        while chunk := self._count(read_available(_CHUNK_BYTES)):
            chunks.append(chunk)
            total += len(chunk)
            if total > self._page_max_bytes:
                detail = f"a page has more than the {self._page_max_bytes} bytes that crawl.page_max_bytes allows"
                raise WorkStopped(RecordError(Reason.TOO_LARGE, detail))
        return b"".join(chunks)

    def _count(self, data: bytes) -> bytes:
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise WorkStopped(
                RecordError(
                    Reason.TOO_LARGE,
                    f"the download has more than the {self._max_bytes} bytes that crawl.max_bytes allows",
                )
            )
        self.check()
        return data


def _make_reader(response: Response) -> Read:
    """Returns a read function that returns as soon as any bytes have arrived."""
    # response.read calls fp.read, which waits for all requested bytes, even if the server sends one byte per second.
    # response.read itself is still used, because it translates the errors of urllib3 to those of yt-dlp.
    read_arrived = response.fp.read1

    def read1(size: int = _CHUNK_BYTES, decode_content: bool = True) -> bytes:
        return read_arrived(size, decode_content=decode_content) or b""

    response.fp.read = read1
    read: Read = response.read
    return read
