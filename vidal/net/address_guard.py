"""What crawled input may reach: no private, loopback or link-local address unless its host is allowed, and no program.

An address is checked when the socket connects, after name resolution and after every redirect, so a name that
resolves to another address the second time gains nothing.
"""

from __future__ import annotations

import contextlib
import ipaddress
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator
from urllib.parse import urlsplit

from vidal.errors import RecordError
from vidal.net.programs import check_program
from vidal.net.settings import Crawl
from vidal.schema import Reason

# Connections of a client that are remembered, so that they can be shut: those it may still read from.
_REMEMBERED = 32
# Storage lies where the recipe says, in a private range or not; fsspec reaches it from a thread of its own.
_STORAGE_THREAD = "fsspecIO"
_CONNECTING = ("socket.connect", "socket.sendto")


class ForbiddenAddress(OSError):
    """A connection to an address that crawled input must not reach."""


class Connections:
    """The connections that one client has opened. Another thread may shut them."""

    def __init__(self) -> None:
        self._opened: deque[tuple[int, tuple]] = deque(maxlen=_REMEMBERED)

    def add(self, connection: socket.socket, address: tuple) -> None:
        self._opened.append((connection.fileno(), address))

    def shut(self) -> None:
        """Shuts all of them, so that what the client reads from them ends."""
        for number, address in list(self._opened):
            _shut(number, address)


class Guard:
    """While it is on, no Python socket of this process connects to a forbidden address."""

    def __init__(self, allow_hosts: tuple[str, ...]):
        self._allowed = frozenset(address for host in allow_hosts for address in _addresses(host))

    @classmethod
    def of(cls, crawl: Crawl, more_hosts: tuple[str, ...]) -> Guard:
        """The guard of a recipe: its allowed hosts, those of the command line, and its own proxy."""
        proxies = (host_of(proxy) for proxy in crawl.proxies)
        return cls((*crawl.allow_hosts, *more_hosts, *proxies))

    @contextlib.contextmanager
    def on(self, connections: Connections | None = None) -> Iterator[None]:
        """connections: collects what this thread opens. This thread also starts no program that check_program refuses."""
        _HOOK.install()
        outer = getattr(_THREAD, "connections", None)
        _THREAD.connections = Connections() if connections is None else connections
        _HOOK.add(self)
        try:
            yield
        finally:
            _HOOK.remove(self)
            _THREAD.connections = outer

    def check_address(self, address: str) -> None:
        """Raises ForbiddenAddress."""
        if not self.permits(address):
            raise ForbiddenAddress(f"{address} is in a private, loopback or reserved range; --allow-host admits a host")

    def check_host(self, host: str) -> None:
        """For what a proxy would resolve: an address in place of a name is checked before anybody connects."""
        with contextlib.suppress(ValueError):
            self.check_address(str(ipaddress.ip_address(host.strip("[]"))))

    def permits(self, address: str) -> bool:
        ip = ipaddress.ip_address(address.split("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        return mapped.is_global or str(mapped) in self._allowed


class _Hook:
    """The audit hook of this process: Python cannot remove one, so there is one for all guards, which asks those that are on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_installed = False
        self._on: tuple[Guard, ...] = ()  # A guard is in it as often as it has been turned on.

    def install(self) -> None:
        with self._lock:
            if not self._is_installed:
                sys.addaudithook(self)
                self._is_installed = True

    def add(self, guard: Guard) -> None:
        with self._lock:
            self._on = (*self._on, guard)

    def remove(self, guard: Guard) -> None:
        with self._lock:
            rest = list(self._on)
            rest.remove(guard)
            self._on = tuple(rest)

    def __call__(self, event: str, args: tuple) -> None:
        if event in _CONNECTING:
            if self._on:
                self._check_connection(event, *args[:2])
        elif event == "subprocess.Popen" and getattr(_THREAD, "connections", None) is not None:
            check_program(args[1])

    def _check_connection(self, event: str, connecting: socket.socket, address: object) -> None:
        if connecting.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return
        if threading.current_thread().name == _STORAGE_THREAD:
            return
        for guard in dict.fromkeys(self._on):
            guard.check_address(address[0])
        connections: Connections | None = getattr(_THREAD, "connections", None)
        if event == "socket.connect" and connections is not None:
            connections.add(connecting, address)


_HOOK = _Hook()
# connections: those of the client that works in this thread; absent or None where none does.
_THREAD = threading.local()


def _shut(number: int, address: tuple) -> None:
    """The file may be closed by now, and its number another's: only a connection to that address is shut."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
        if connection.getpeername()[:2] == address[:2]:
            connection.shutdown(socket.SHUT_RDWR)


def check_url(url: str) -> None:
    """Raises RecordError(bad_url) for anything but http(s) with a host."""
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise RecordError(Reason.BAD_URL, f"{url[:200]}: {error}") from error
    if parts.scheme not in ("http", "https") or not host:
        raise RecordError(Reason.BAD_URL, f"{url[:200]}: only http and https addresses are fetched")


def host_of(url: str) -> str:
    return urlsplit(url).hostname or ""


def _addresses(host: str) -> set[str]:
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except socket.gaierror:
        return {host}
