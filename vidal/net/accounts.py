"""Reads the user's own files for sites that need a login: cookies, and the users and passwords of hosts and proxies (netrc)."""

from __future__ import annotations

import base64
import netrc
from http.cookiejar import LoadError
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

from vidal.errors import UserError
from vidal.net.urls import hostname

# The user and the password of each host.
Passwords = dict[str, tuple[str, str]]


def check_cookies_file(key: str, path: str) -> None:
    """Raises UserError unless the file can be read as cookies. key: the key of the recipe that names the file."""
    from yt_dlp.cookies import YoutubeDLCookieJar  # Needed only where a recipe names such a file.

    check_file(key, path)
    try:
        YoutubeDLCookieJar(path).load()
    except (LoadError, UnicodeDecodeError, OSError) as error:
        detail = "it is not a cookies file in Netscape's format: export it from the browser again"
        raise UserError(f"{key} {path}: {detail}") from error


def check_file(key: str, path: str) -> None:
    if not Path(path).is_file():
        raise UserError(f"{key} {path}: no such file")


def read_passwords(path: str | None) -> Passwords:
    """Returns the entries of a netrc file, except for `default`; {} if path is None. Raises UserError if the file cannot be read."""
    if path is None:
        return {}
    check_file("crawl.netrc_file", path)
    try:
        hosts = netrc.netrc(path).hosts
    except (netrc.NetrcParseError, UnicodeDecodeError, OSError) as error:
        raise UserError(
            f"crawl.netrc_file {path}: it is not a netrc file: each entry must be `machine HOST login USER password PASSWORD`"
        ) from error
    return {host.lower(): (login, password) for host, (login, _, password) in hosts.items() if host != "default"}


def basic_authorization(host: str, passwords: Passwords) -> str | None:
    """Returns the value of the header Authorization for a host; None if the host has no entry."""
    if host not in passwords:
        return None
    return "Basic " + base64.b64encode(":".join(passwords[host]).encode()).decode()


def with_password(proxy: str, passwords: Passwords) -> str:
    """Returns the address of a proxy with the user and password of its host added.

    The address is unchanged if the host has no entry, or if the address contains a user already.
    """
    parts, entry = urlsplit(proxy), passwords.get(hostname(proxy))
    if entry is None or "@" in parts.netloc:
        return proxy
    user, password = (quote(part, safe="") for part in entry)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc}"))
