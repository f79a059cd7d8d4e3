"""Prevents crawled input from reaching private, loopback and link-local addresses, and from starting programs that may connect to them.

An address is checked when the socket connects, after name resolution and after every redirect. So a name that first resolves to a
public address and later to a private one is refused as well.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any, TypeAlias

from vidal.net.addresses import is_address, is_public, parse_address
from vidal.net.programs import check_program
from vidal.net.settings import Crawl
from vidal.net.urls import hostname, port_of

# How many connections of a client are remembered, to be shut down when its time is up. A client never reads from more than this at once.
_REMEMBERED = 32
# Storage may be in a private range, because the recipe names it; fsspec reaches it from a thread of its own.
_STORAGE_THREAD = "fsspecIO"
_CONNECTING = ("socket.connect", "socket.sendto")
# The last labels of names that only a local network knows. A proxy may resolve them to hosts beside it.
_LOCAL_NAMES = {"localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "arpa"}
# The address of a socket: (host, port), with two more values for IPv6.
SocketAddress: TypeAlias = "tuple[Any, ...]"


class ForbiddenAddress(OSError):
    """A connection to an address that crawled input must not reach."""


class Connections:
    """The connections that one client has opened. Another thread may shut them down."""

    def __init__(self) -> None:
        self._opened: deque[tuple[int, SocketAddress]] = deque(maxlen=_REMEMBERED)

    def add(self, connection: socket.socket, address: SocketAddress) -> None:
        self._opened.append((connection.fileno(), address))

    def shut(self) -> None:
        """Shuts all connections down, so that every read from them ends."""
        for number, address in list(self._opened):
            _shut(number, address)


class AddressGuard:
    """While it is enforced, keeps Python sockets of this process from connecting to forbidden (private, loopback, reserved) addresses.

    The thread in which fsspec works is exempt, because a storage can have a private address. allow_hosts: hosts that are allowed,
    whatever their addresses. proxies: the URLs of the recipe's proxies. Threads that work through a proxy may connect to these,
    whatever their addresses.
    """

    def __init__(self, allow_hosts: tuple[str, ...], proxies: tuple[str, ...] = ()):
        self._allowed = frozenset(address for host in allow_hosts for address in resolve(host))
        self._proxies = frozenset(
            (address, port_of(proxy)) for proxy in proxies for address in resolve(hostname(proxy))
        )

    @classmethod
    def from_settings(cls, crawl: Crawl, more_hosts: tuple[str, ...]) -> AddressGuard:
        """Returns a guard that allows the hosts of the recipe and the command line (more_hosts), and the recipe's own proxies."""
        own = (identity.proxy for identity in crawl.identities if identity.proxy)
        return cls((*crawl.allow_hosts, *more_hosts), (*crawl.proxies, *own))

    @contextlib.contextmanager
    def enforce(self, connections: Connections | None = None, *, is_proxied: bool = False) -> Iterator[None]:
        """Refuses forbidden addresses in this process, and forbidden programs (see check_program) in this thread.

        connections: collects the connections that this thread opens. is_proxied: whether this thread may connect to the recipe's proxies.
        If so, the caller must check the host of every URL with check_host before it sends the request.
        """
        _HOOK.install()
        outer = (getattr(_THREAD, "connections", None), getattr(_THREAD, "is_proxied", False))
        _THREAD.connections, _THREAD.is_proxied = Connections() if connections is None else connections, is_proxied
        _HOOK.add(self)
        try:
            yield
        finally:
            _HOOK.remove(self)
            _THREAD.connections, _THREAD.is_proxied = outer

    def check_connection(self, address: SocketAddress, is_proxied: bool) -> None:
        """Raises ForbiddenAddress if a socket must not connect to this address.

        is_proxied: whether this thread may connect to the recipe's proxies, whatever their addresses are.
        """
        if is_proxied and (address[0], address[1]) in self._proxies:
            return
        for each in resolve(address[0]):
            self.check_address(each)

    def check_address(self, address: str) -> None:
        """Raises ForbiddenAddress if an IP address is forbidden."""
        if not self.permits(address):
            raise ForbiddenAddress(
                f"{address} is in a private, loopback or reserved range: to fetch from it, name its host with --allow-host"
            )

    def check_host(self, host: str, is_proxied: bool) -> None:
        """Raises ForbiddenAddress if the host of a URL is forbidden. host: a name, or an IP address in any notation.

        is_proxied: whether a proxy connects to the host. Without a proxy, only IP addresses are checked here. The address of a name is
        checked when the socket connects. With a proxy, names are checked here too. A name is resolved, and all its addresses are checked.
        A name that does not resolve here is refused only if it is local, such as "db.internal". The proxy may be able to resolve any
        other name.
        """
        for address in resolve(host, 0 if is_proxied else socket.AI_NUMERICHOST):
            if is_proxied or is_address(address):
                self.check_address(address)

    def permits(self, address: str) -> bool:
        """Returns whether an IP address is public or belongs to an allowed host.

        address: may also be a name that did not resolve. Such a name is refused only if it is local and not an allowed host.
        """
        if not is_address(address):
            is_local = "." not in address or address.rpartition(".")[2] in _LOCAL_NAMES
            return not is_local or address in self._allowed
        ip = parse_address(address)
        return is_public(ip) or str(ip) in self._allowed


class _AuditHook:
    """The audit hook of this process. Python cannot remove a hook, so one hook is installed and asks all guards that are enforced."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_installed = False
        self._guards: tuple[AddressGuard, ...] = ()  # A guard occurs once for each active `enforce`.

    def install(self) -> None:
        with self._lock:
            if not self._is_installed:
                sys.addaudithook(self)
                self._is_installed = True

    def add(self, guard: AddressGuard) -> None:
        with self._lock:
            self._guards = (*self._guards, guard)

    def remove(self, guard: AddressGuard) -> None:
        with self._lock:
            guards = list(self._guards)
            guards.remove(guard)
            self._guards = tuple(guards)

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _CONNECTING:
            if self._guards:
                self._check_connection(event, *args[:2])
        elif event == "subprocess.Popen" and getattr(_THREAD, "connections", None) is not None:
            check_program(args[1])

    def _check_connection(self, event: str, connecting: socket.socket, address: object) -> None:
        if connecting.family not in (socket.AF_INET, socket.AF_INET6) or not isinstance(address, tuple):
            return
        if threading.current_thread().name == _STORAGE_THREAD:
            return
        for guard in dict.fromkeys(self._guards):
            guard.check_connection(address, getattr(_THREAD, "is_proxied", False))
        connections: Connections | None = getattr(_THREAD, "connections", None)
        if event == "socket.connect" and connections is not None:
            connections.add(connecting, address)


_HOOK = _AuditHook()
# connections: those of the client that works in this thread; absent or None if no client does.
_THREAD = threading.local()


def _shut(number: int, address: SocketAddress) -> None:
    """Shuts down a connection to `address`. number: its file descriptor. If the descriptor now has another connection, does nothing."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as connection:
        if connection.getpeername()[:2] == address[:2]:
            connection.shutdown(socket.SHUT_RDWR)


def resolve(host: str, flags: int = 0) -> set[str]:
    """Returns the IP addresses of a host. Returns {host} if the host is a name that does not resolve.

    host: a name, or an IP address in any notation, such as "0x7f.1". flags: the flags for socket.getaddrinfo. With AI_NUMERICHOST, no
    name resolves.
    """
    if is_address(host):
        return {str(parse_address(host))}
    try:
        return {str(info[4][0]) for info in socket.getaddrinfo(host, None, flags=flags)}
    except (OSError, UnicodeError):
        return {host}
