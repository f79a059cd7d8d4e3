"""Tells which IP addresses are public. An IPv6 address may contain an IPv4 address to which a gateway forwards; both must be public."""

from __future__ import annotations

import ipaddress
from typing import TypeAlias

Address: TypeAlias = "ipaddress.IPv4Address | ipaddress.IPv6Address"

# Only this range of IPv6 is assigned to the public internet; the rest is local, multicast or reserved.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
# Ranges that older versions of Python take for public: documentation, benchmarks, relays, and tunnels to any address.
_NOT_PUBLIC = [
    ipaddress.ip_network(each)
    for each in ("2001::/23", "2001:db8::/32", "3fff::/20", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4")
]  # fmt: skip
# The 32 bits of an ISATAP address that precede the IPv4 address at its end (RFC 5214).
_ISATAP = {0x0000_5EFE, 0x0200_5EFE}


def parse_address(text: str) -> Address:
    """Parses an IP address. An IPv4 address in IPv6 notation (::ffff:a.b.c.d) is returned as IPv4.

    Raises ValueError if the text is not an IP address.
    """
    address = ipaddress.ip_address(text.strip("[]").split("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def is_address(text: str) -> bool:
    """Returns whether a text is an IP address in its usual notation."""
    try:
        parse_address(text)
    except ValueError:
        return False
    return True


def is_public(address: Address) -> bool:
    """Returns whether an address is public.

    An IPv6 address of NAT64, 6to4 or ISATAP is public only if the IPv4 address in it is public too.
    """
    if address.is_multicast or not address.is_global or any(address in network for network in _NOT_PUBLIC):
        return address in _NAT64 and is_public(_last_ipv4(address))
    if isinstance(address, ipaddress.IPv4Address):
        return True
    if address in _NAT64:
        return is_public(_last_ipv4(address))
    return address in _GLOBAL_UNICAST and all(is_public(embedded) for embedded in _embedded(address))


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """Returns the IPv4 addresses that an IPv6 address of 6to4 or ISATAP contains. Gateways forward to them."""
    embedded = [address.sixtofour] if address.sixtofour else []
    is_isatap = (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP
    return [*embedded, _last_ipv4(address)] if is_isatap else embedded


def _last_ipv4(address: Address) -> ipaddress.IPv4Address:
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
