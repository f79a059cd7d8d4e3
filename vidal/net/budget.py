"""What one piece of work may take from the network: seconds in all, bytes of a file, bytes of a page."""

from __future__ import annotations

import time
from typing import Any

from yt_dlp.networking.common import Response
from yt_dlp.utils import DownloadCancelled

from vidal.errors import RecordError
from vidal.schema import Reason

_PIECE = 64 * 1024


class Stopped(DownloadCancelled):
    """Carries an outcome through yt-dlp, which lets nothing else pass as it is."""

    def __init__(self, error: RecordError):
        super().__init__(str(error))
        self.error = error


class Budget:
    """For one piece of work of one client. Time that is spent waiting for a host's turn does not count.

    deadline: of time.monotonic(); is_over: set by the watchdog, which has then shut the connections.
    """

    def __init__(self, timeout_s: float, max_bytes: int, page_max_bytes: int):
        self._timeout_s, self._max_bytes, self._page_max_bytes = timeout_s, max_bytes, page_max_bytes
        self.deadline = time.monotonic() + timeout_s
        self._bytes = 0
        self.is_over = False

    def extend(self, seconds: float) -> None:
        self.deadline += seconds

    def check(self) -> None:
        if self.is_over or time.monotonic() > self.deadline:
            raise Stopped(self.timeout())

    def timeout(self) -> RecordError:
        return RecordError(Reason.TIMEOUT, f"took longer than {self._timeout_s:g} s", transient=True)

    def bound(self, response: Response) -> Response:
        """The response with reads that count, and that give what has arrived instead of waiting for more."""
        stated = response.headers.get("Content-Length") or ""
        if stated.isdecimal() and int(stated) > self._max_bytes:
            raise Stopped(RecordError(Reason.TOO_LARGE, f"{stated} bytes, at most {self._max_bytes} are wanted"))
        read_some = _reader(response)

        def read(amount: int | None = None) -> bytes:
            if amount is None:
                return self._all(read_some)
            return self._count(read_some(amount))

        response.read = read
        return response

    def _all(self, read_some: Any) -> bytes:
        pieces, total = [], 0
        while piece := self._count(read_some(_PIECE)):
            pieces.append(piece)
            total += len(piece)
            if total > self._page_max_bytes:
                raise Stopped(RecordError(Reason.TOO_LARGE, f"a page of more than {self._page_max_bytes} bytes"))
        return b"".join(pieces)

    def _count(self, data: bytes) -> bytes:
        self._bytes += len(data)
        if self._bytes > self._max_bytes:
            raise Stopped(RecordError(Reason.TOO_LARGE, f"more than {self._max_bytes} bytes"))
        self.check()
        return data


def _reader(response: Response) -> Any:
    """Reads at most so many decoded bytes, in one piece of what the network gives; empty is the end.

    read() would wait until all of them have come, at a byte a second if the server likes. yt-dlp's adapter translates
    urllib3's errors around fp.read: what it calls there is read1 from now on.
    """
    one_piece = response.fp.read1

    def read1(size: int = _PIECE, decode_content: bool = True) -> bytes:
        return one_piece(size, decode_content=decode_content) or b""

    response.fp.read = read1
    return response.read
