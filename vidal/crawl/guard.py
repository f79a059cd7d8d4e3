"""Where a fetch may connect to: http(s) only, and no private, loopback or link-local address unless its host is allowed.

The address is checked when the socket connects, after name resolution and after every redirect, so a name that
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

from vidal.config import Crawl
from vidal.errors import RecordError
from vidal.schema import Reason

# Connections of a thread that are remembered, so that they can be shut: those it may still read from.
_REMEMBERED = 32
# Storage lies where the recipe says, in a private range or not; fsspec reaches it from a thread of its own.
_STORAGE_THREAD = "fsspecIO"


class ForbiddenAddress(OSError):
    """A connection to an address that crawled input must not reach."""


class Guard:
    """While it is on, no Python socket of this process connects to a forbidden address."""

    def __init__(self, allow_hosts: tuple[str, ...]):
        self._allowed = frozenset(address for host in allow_hosts for address in _addresses(host))
        self._depth = 0
        self._lock = threading.Lock()
        self._connections: dict[int, deque[tuple[int, tuple]]] = {}
        sys.addaudithook(self._hook)

    @classmethod
    def of(cls, crawl: Crawl, more_hosts: tuple[str, ...]) -> Guard:
        """The guard of a recipe: its allowed hosts, those of the command line, and its own proxy."""
        proxies = (host_of(proxy) for proxy in crawl.proxies)
        return cls((*crawl.allow_hosts, *more_hosts, *proxies))

    @contextlib.contextmanager
    def on(self) -> Iterator[None]:
        with self._lock:
            self._depth += 1
        try:
            yield
        finally:
            with self._lock:
                self._depth -= 1

    def _hook(self, event: str, args: tuple) -> None:
        if event not in ("socket.connect", "socket.sendto") or not self._depth:
            return
        connecting, address = args[0], args[1]
        if connecting.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return
        if threading.current_thread().name == _STORAGE_THREAD:
            return
        self.check_address(address[0])
        if event == "socket.connect":
            mine = self._connections.setdefault(threading.get_ident(), deque(maxlen=_REMEMBERED))
            mine.append((connecting.fileno(), address))

    def check_address(self, address: str) -> None:
        """Raises ForbiddenAddress."""
        if not self.permits(address):
            raise ForbiddenAddress(f"{address} is in a private, loopback or reserved range; --allow-host admits a host")

    def check_host(self, host: str) -> None:
        """For what a proxy would resolve: an address in place of a name is checked before anybody connects."""
        with contextlib.suppress(ValueError):
            self.check_address(str(ipaddress.ip_address(host.strip("[]"))))

    def shut(self, thread_id: int) -> None:
        """Shuts the connections that a thread has opened, so that what it reads from them ends."""
        for number, address in list(self._connections.get(thread_id, ())):
            _shut(number, address)

    def permits(self, address: str) -> bool:
        ip = ipaddress.ip_address(address.split("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        return mapped.is_global or str(mapped) in self._allowed


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
