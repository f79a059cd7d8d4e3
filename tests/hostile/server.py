"""The server: raw HTTP/1.1 on loopback from a thread of this process, in clear and with a certificate that nobody trusts."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import trustme

from tests.hostile.cases import Case
from tests.hostile.exchange import Exchange, Request, read_request
from tests.hostile.handlers import ROUTES
from tests.hostile.handlers.statuses import missing

HOST = "127.0.0.1"
LIMIT_S = 120.0


@dataclass
class _Log:
    """Written by the server's thread alone; others take copies."""

    requests: list[Request] = field(default_factory=list)
    bytes_sent: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Served:
    """A running site. url, tls_url: without a slash at the end."""

    url: str
    tls_url: str
    _log: _Log

    @property
    def requests(self) -> list[Request]:
        """Every request so far, in the order of arrival."""
        return self._log.requests.copy()

    @property
    def bytes_sent(self) -> dict[str, int]:
        """Bytes, headers included, that the kernel accepted for each path (without its query).

        A client may have read less: the sockets' buffers hold up to a few MB.
        """
        return self._log.bytes_sent.copy()

    def at(self, case: Case, host: str = HOST) -> str:
        """The address of a case. host: one of the site's."""
        return (self.tls_url if case.tls else self.url).replace(HOST, host) + case.path

    def asked(self, path: str) -> list[Request]:
        """The requests for a path, whatever their query."""
        return [request for request in self.requests if request.path == path]


class Site:
    """The site of one video. State (the first request for a path and query) lasts as long as the object."""

    def __init__(self, video: bytes, *, limit_s: float = LIMIT_S, aliases: tuple[str, ...] = ()):
        self._video, self._limit_s, self._aliases = video, limit_s, aliases
        self._log = _Log()
        self._first_s: dict[str, float] = {}
        self._bases: dict[bool, str] = {}
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._loop.set_debug(False)  # Under python -X dev every refused certificate would be reported as an error.
        self._thread = threading.Thread(target=self._loop.run_forever, name="hostile-site", daemon=True)

    def start(self, port: int = 0, tls_port: int = 0) -> Served:
        """Listens, on loopback only. Port 0: any free one. Raises OSError where a port is taken."""
        self._thread.start()
        try:
            asyncio.run_coroutine_threadsafe(self._listen(port, tls_port), self._loop).result(10)
        except BaseException:
            self.stop()
            raise
        return Served(self._bases[False], self._bases[True], self._log)

    def stop(self) -> None:
        """Cuts every connection and waits for the thread."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _listen(self, port: int, tls_port: int) -> None:
        for scheme, wanted, context in (("http", port, None), ("https", tls_port, _untrusted())):
            server = await asyncio.start_server(self._connected, HOST, wanted, ssl=context)
            self._servers.append(server)
            port = server.sockets[0].getsockname()[1]
            self._bases[context is not None] = f"{scheme}://{HOST}:{port}"
            if self._aliases:
                self._servers.append(await asyncio.start_server(self._connected, self._aliases, port, ssl=context))

    async def _close(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {
            asyncio.current_task()
        }  # Our tasks, and asyncio's own tasks of unfinished handshakes.
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await asyncio.sleep(0.01)  # Aborted transports close their sockets in the next turns of the loop.

    def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # Python 3.11 prints a traceback for each cancelled task that asyncio.start_server has made itself.
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await asyncio.wait_for(self._answer(reader, writer), self._limit_s)
            writer.close()
            await asyncio.wait_for(writer.wait_closed(), 1)
        except (OSError, asyncio.IncompleteReadError, asyncio.TimeoutError):
            pass  # The client left or stayed beyond the limit: the cases provoke both.
        finally:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tls = writer.get_extra_info("ssl_object") is not None
        if not tls:  # With a limit of zero, asyncio's TLS would wait for itself.
            writer.transport.set_write_buffer_limits(high=0)  # drain() then means that the kernel has all bytes.
        request = await read_request(reader, tls=tls)
        if request is None:
            return
        self._log.requests.append(request)
        first = request.target not in self._first_s
        since_first_s = request.time_monotonic - self._first_s.setdefault(request.target, request.time_monotonic)
        exchange = Exchange(
            request,
            (reader, writer),
            self._log.bytes_sent,
            video=self._video,
            base=self._bases[tls],
            first=first,
            since_first_s=since_first_s,
        )
        await ROUTES.get(request.path, missing)(exchange)


def _untrusted() -> ssl.SSLContext:
    """A certificate for the right address, signed by an authority that was made a moment ago."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert(HOST, "localhost").configure_cert(context)
    return context


@contextlib.contextmanager
def serve(
    video: bytes, *, port: int = 0, tls_port: int = 0, limit_s: float = LIMIT_S, aliases: tuple[str, ...] = ()
) -> Iterator[Served]:
    """Serves the site while the block runs. video: a valid MP4. limit_s: after this every connection is cut.

    aliases: further addresses in 127.0.0.0/8 where the site answers as well, as other hosts for its clients.
    """
    site = Site(video, limit_s=limit_s, aliases=aliases)
    served = site.start(port, tls_port)
    try:
        yield served
    finally:
        site.stop()
