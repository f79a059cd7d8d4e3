"""An HTTP client for a model server that is not trusted. It limits the total seconds and the bytes of each answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import httpcore
import httpx

# In bytes. An answer is a text of a few sentences.
_BODY_MAX = 1 << 20


class AnswerTooLarge(httpx.HTTPError):
    """The body of an answer is longer than allowed, or it is compressed, so that its length is not known."""


class _Deadline(threading.local):
    """The time (of time.monotonic()) by which the request of this thread must be over."""

    at = float("inf")

    def remaining_s(self, timeout_s: float | None) -> float:
        """Returns the seconds that one operation may take: timeout_s, or the time that is left for the request if that is shorter."""
        return max(0.001, min(float("inf") if timeout_s is None else timeout_s, self.at - time.monotonic()))


_DEADLINE = _Deadline()


def open_client(timeout_s: float) -> httpx.Client:
    """Returns a client for requests to the server. A request that fails raises an httpx.HTTPError, such as AnswerTooLarge.

    timeout_s: the largest number of seconds for a request, with all its redirects, until its answer has been read.
    """
    return _Client(
        transport=_Transport(), timeout=timeout_s, headers={"Accept-Encoding": "identity"}, follow_redirects=True
    )


class _Client(httpx.Client):
    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        _DEADLINE.at = time.monotonic() + (self.timeout.read or float("inf"))
        return super().send(request, **options)


class _Transport(httpx.HTTPTransport):
    def __init__(self) -> None:
        super().__init__()
        self._pool._network_backend = (
            _Backend()
        )  # The pool of httpcore has an argument for the backend, but httpx has none.

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            response.close()
            raise AnswerTooLarge(
                f"the server's answer is compressed ({response.headers['Content-Encoding'][:20]}): turn off the server's compression"
            )
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=_LimitedBody(response),
            extensions=response.extensions,
        )


class _LimitedBody(httpx.SyncByteStream):
    def __init__(self, response: httpx.Response):
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        total = 0
        for chunk in self._response.iter_raw():
            total += len(chunk)
            if total > _BODY_MAX:
                raise AnswerTooLarge(f"the server's answer has more than {_BODY_MAX} bytes")
            yield chunk

    def close(self) -> None:
        self._response.close()


class _Backend(httpcore.SyncBackend):
    """Opens network streams that raise a timeout when the deadline of their request has passed."""

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *arguments: object, **named: object
    ) -> httpcore.NetworkStream:
        stream = super().connect_tcp(host, port, _DEADLINE.remaining_s(timeout), *arguments, **named)  # type: ignore[arg-type]
        return _Stream(stream)


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream):
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _DEADLINE.remaining_s(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _DEADLINE.remaining_s(timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: object, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._stream.start_tls(ssl_context, server_hostname, _DEADLINE.remaining_s(timeout))  # type: ignore[arg-type]
        return _Stream(stream)

    def get_extra_info(self, info: str) -> object:
        return self._stream.get_extra_info(info)
