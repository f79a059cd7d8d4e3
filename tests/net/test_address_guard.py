"""No address in a private, loopback or link-local range is reached, whatever its name resolves to."""

import socket

import httpx
import pytest

from tests.support.crawling import crawl_one
from vidal.errors import RecordError
from vidal.net.address_guard import AddressGuard, ForbiddenAddress
from vidal.net.urls import check_url


def test_a_loopback_address_is_refused_unless_its_host_is_allowed(serve_folder, tmp_path):
    (tmp_path / "x.txt").write_text("hello")
    url = f"{serve_folder(tmp_path)}/x.txt"
    refusing, allowing = AddressGuard(()), AddressGuard(("127.0.0.1",))
    with refusing.enforce(), pytest.raises((ForbiddenAddress, httpx.HTTPError)):
        httpx.get(url)
    assert httpx.get(url).text == "hello"  # Off again.
    with allowing.enforce():
        assert httpx.get(url).text == "hello"


@pytest.mark.parametrize(
    "address", ["10.0.0.1", "169.254.169.254", "192.168.1.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"]
)
def test_private_and_link_local_ranges_are_forbidden(address):
    assert not AddressGuard(()).permits(address)
    assert AddressGuard(()).permits("1.1.1.1")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/x", "javascript:1", "/etc/passwd", "http://"])
def test_only_http_addresses_are_fetched(url):
    with pytest.raises(RecordError, match="bad_url"):
        check_url(url)


def test_a_name_that_resolves_to_another_address_the_second_time_gains_nothing(serve_folder, tmp_path, monkeypatch):
    """DNS rebinding: what was checked is not what is connected to, so it is the connection that is checked."""
    port = int(serve_folder(tmp_path).rsplit(":", 1)[1])
    answers = iter(["93.184.215.14"])
    resolve = socket.getaddrinfo

    def rebinding(host, *arguments, **more):
        return resolve(next(answers, "127.0.0.1") if host == "rebind.example" else host, *arguments, **more)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    assert socket.getaddrinfo("rebind.example", port)[0][4][0] == "93.184.215.14"
    with pytest.raises(RecordError, match="forbidden_address"):
        crawl_one(f"http://rebind.example:{port}/x.mp4", allow=())
