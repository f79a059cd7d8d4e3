"""One request and the bytes that answer it. Nothing here corrects what a handler sends."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    """path: without the query. headers: by lower-case name, repeated ones joined by ", "."""

    time_monotonic: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    tls: bool

    @property
    def target(self) -> str:
        return f"{self.path}?{self.query}" if self.query else self.path

    def number(self, name: str, default: int) -> int:
        """Returns an integer of the query, or the default."""
        value = parse_qs(self.query).get(name, [""])[0]
        return int(value) if value.isdecimal() and len(value) < 10 else default


async def read_request(reader: asyncio.StreamReader, *, tls: bool) -> Request | None:
    """Returns None where the bytes are not a request. Raises asyncio.IncompleteReadError where the client left before its end."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        method, target, _ = first.split(" ")
        parts = urlsplit(target)
    except (ValueError, asyncio.LimitOverrunError):
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    now = asyncio.get_running_loop().time()  # time.monotonic()
    return Request(now, method, parts.path, parts.query, headers, tls)


class Exchange:
    """A request and the means to answer it. Every write waits until the kernel has accepted all of it.

    video: the valid file. base: this site's address as the client sees it. first: no earlier request had this
    path and query. since_first_s: how long ago the first one came.
    """

    def __init__(
        self,
        request: Request,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        sent: dict[str, int],
        *,
        video: bytes,
        base: str,
        first: bool,
        since_first_s: float,
    ):
        self.request, self.video, self.base = request, video, base
        self.first, self.since_first_s = first, since_first_s
        self._reader, self._writer = streams
        self._sent = sent
        self._chunked = False

    async def send(self, status: int, body: bytes, type_: str, *headers: tuple[str, str]) -> None:
        """Sends a whole answer with its true length."""
        await self.head(status, type_, *headers, length=len(body))
        await self.body(body)

    async def head(self, status: int, type_: str, *headers: tuple[str, str], length: int | None) -> None:
        """length: what Content-Length says, true or not; None for a chunked body."""
        self._chunked = length is None
        framing = ("Transfer-Encoding", "chunked") if length is None else ("Content-Length", str(length))
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
        lines += [f"{name}: {value}" for name, value in (("Content-Type", type_), framing, *headers)]
        await self.raw("\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1"))

    async def body(self, data: bytes) -> bool:
        """Sends a part of the body. Returns False, and sends nothing, where the client asked for the head only."""
        if self.request.method == "HEAD":
            return False
        await self.raw(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        return True

    async def raw(self, data: bytes) -> None:
        """Sends bytes as they are. Raises OSError where the client has gone."""
        self._writer.write(data)
        await self._writer.drain()
        self._sent[self.request.path] = self._sent.get(self.request.path, 0) + len(data)
        await asyncio.sleep(0)  # A socket that takes everything at once would never let another connection run.

    async def gone(self) -> None:
        """Returns when the client has left."""
        while await self._reader.read(1 << 16):
            pass

    async def pause(self, seconds: float) -> bool:
        """Waits. Returns False at once where the client has left."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self.gone(), seconds)
            return False
        return True

    def reset(self) -> None:
        """Ends the connection with RST in place of FIN."""
        linger = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.transport.abort()
