"""Where a fetch may connect to: http(s) only, and no private, loopback or link-local address unless its host is allowed.

The address is checked when the socket connects, after name resolution and after every redirect, so a name that
resolves to another address the second time gains nothing.
"""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import sys
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit

from vidal.config import Crawl
from vidal.errors import RecordError
from vidal.schema import Reason


class ForbiddenAddress(OSError):
    """A connection to an address that crawled input must not reach."""


class Guard:
    """While it is on, no Python socket of this process connects to a forbidden address."""

    def __init__(self, allow_hosts: tuple[str, ...]):
        self._allowed = frozenset(address for host in allow_hosts for address in _addresses(host))
        self._depth = 0
        self._lock = threading.Lock()
        sys.addaudithook(self._hook)

    @classmethod
    def of(cls, crawl: Crawl, more_hosts: tuple[str, ...]) -> Guard:
        """The guard of a recipe: its allowed hosts, those of the command line, and its own proxy."""
        proxy = (host_of(crawl.proxy),) if crawl.proxy else ()
        return cls((*crawl.allow_hosts, *more_hosts, *proxy))

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
        if event != "socket.connect" or not self._depth:
            return
        connecting, address = args
        if connecting.family in (socket.AF_INET, socket.AF_INET6) and not self.permits(address[0]):
            raise ForbiddenAddress(
                f"{address[0]} is in a private, loopback or reserved range; --allow-host admits a host"
            )

    def permits(self, address: str) -> bool:
        ip = ipaddress.ip_address(address.split("%")[0])
        mapped = getattr(ip, "ipv4_mapped", None) or ip
        return mapped.is_global or str(mapped) in self._allowed


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
