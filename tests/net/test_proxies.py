"""Behind a proxy the same addresses are forbidden as without one, and the proxy itself is open to no crawled address."""

import contextlib

import pytest
from aiohttp import web

from tests.conftest import write_video
from tests.support.crawling import crawl_one
from vidal.errors import RecordError
from vidal.net.address_guard import AddressGuard, ForbiddenAddress
from vidal.net.urls import hostname
from vidal.sources.embedded.site import serve


@pytest.fixture
def proxy(tmp_path):
    """An HTTP proxy that answers every address with a video. Yields its address, and the addresses that it was asked for."""
    video, asked = write_video(tmp_path / "v.mp4").read_bytes(), []

    async def answer(request):
        asked.append(str(request.url))
        if request.path.endswith((".txt", ".json")):
            raise web.HTTPNotFound
        return web.Response(body=video, content_type="video/mp4")

    async def forward(request):
        return await answer(request)

    app = web.Application()
    app.router.add_route("*", "/{name:.*}", forward)
    with serve(app) as url:
        yield url, asked


def crawl(url, proxy_url, *settings):
    return crawl_one(url, (f"crawl.proxies=[{proxy_url}]", "crawl.attempts=1", *settings), allow=())


def test_a_public_name_goes_through_the_proxy(proxy):
    url, asked = proxy
    assert crawl("http://videos.example/cat.mp4", url).rows[0]["duration_s"] == 2.0
    assert "http://videos.example/cat.mp4" in asked


@pytest.mark.parametrize(
    "host",
    [
        "2852039166",
        "127.0.0.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "0x7f.1",
        "017700000001",
        "localhost:8265",
        "LOCALHOST",
        "localhost.",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::7f00:1]",
        "10.0.0.1",
        "169.254.169.254",
        "metadata",
        "db.internal",
        "printer.local",
        "１２７.0.0.1",
        "127。0。0。1",
        "user@127.0.0.1",
        "[fe80::1%25eth0]",
        "0",
        "255.255.255.255",
        "224.0.0.1",
    ],
)
def test_the_proxy_is_not_asked_for_a_forbidden_host(proxy, host):
    """C5."""
    url, asked = proxy
    with pytest.raises(RecordError) as failed:
        crawl(f"http://{host}/x.mp4", url)
    assert failed.value.reason.value == "forbidden_address"
    assert not asked


def test_the_proxys_own_address_is_forbidden(proxy):
    url, asked = proxy
    for address in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "2130706433")):
        with pytest.raises(RecordError, match="forbidden_address"):
            crawl(f"{address}/x.mp4", url)
    assert not asked


def test_a_redirect_behind_the_proxy_is_judged_too(tmp_path):
    async def leads_away(request):
        if request.host != "videos.example":
            raise web.HTTPNotFound
        raise web.HTTPFound("http://169.254.169.254/latest/meta-data")

    app = web.Application()
    app.router.add_route("*", "/x.mp4", leads_away)
    with serve(app) as url, pytest.raises(RecordError, match="forbidden_address"):
        crawl("http://videos.example/x.mp4", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1\\@videos.example/",
        "http://127%2e0.0.1/",
        "http://a b/",
        "http://videos.example:port/",
        "http://[::1/",
    ],
)
def test_an_address_whose_host_programs_read_differently_is_no_address(proxy, url):
    with pytest.raises(RecordError, match="bad_url"):
        crawl(url, proxy[0])
    assert not proxy[1]


@pytest.mark.parametrize(
    "address",
    [
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::7f00:1",
        "64:ff9b:1::808:808",
        "2002:7f00:1::",
        "2002:a00:1::1",
        "::127.0.0.1",
        "::10.0.0.1",
        "::8.8.8.8",
        "fec0::1",
        "feff::1",
        "ff02::1",
        "ff0e::1",
        "224.0.0.1",
        "239.1.1.1",
        "240.0.0.1",
        "255.255.255.255",
        "100.64.0.1",
        "198.18.0.1",
        "192.0.0.8",
        "192.88.99.1",
        "2001:db8::1",
        "3fff::1",
        "2001:0:7f00:1::",
        "5f00::1",
        "100::1",
        "fd00::1",
        "fe80::1%eth0",
        "::ffff:0:127.0.0.1",
        "2606:4700::5efe:10.0.0.1",
        "0.0.0.1",
        "::",
    ],
)
def test_addresses_that_are_not_public_are_forbidden_even_where_loopback_is_allowed(address):
    """C6: a gateway would forward an embedded address to a host beside it."""
    assert not AddressGuard(()).permits(address)
    assert not AddressGuard(("127.0.0.1", "10.0.0.2")).permits(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::101:101", "2002:101:101::1", "::ffff:1.1.1.1"]
)
def test_public_addresses_are_permitted(address):
    assert AddressGuard(()).permits(address)


@pytest.mark.parametrize(
    "url", ["http://[64:ff9b::7f00:1]/", "http://[2002:7f00:1::]/", "http://[::127.0.0.1]/", "http://2130706433/"]
)
def test_an_embedded_address_is_refused_before_anything_is_sent(url):
    with pytest.raises(RecordError, match="forbidden_address"):
        crawl_one(url, ("crawl.attempts=1",), allow=())


def test_a_host_has_one_notation():
    for host in ("Videos.Example", "videos.example.", "videos.example..", "ｖideos.example"):
        assert hostname(f"http://{host}/") == "videos.example"


@pytest.mark.parametrize("host", ["blocked.example.", "BLOCKED.example", "www.blocked.example."])
def test_a_dot_at_the_end_does_not_evade_a_blocked_domain(host):
    with pytest.raises(RecordError, match="blocked_domain"):
        crawl_one(f"http://{host}/x.mp4", ("crawl.block_domains=[blocked.example]", "crawl.attempts=1"), allow=())


def test_a_guard_without_proxies_leaves_their_port_closed(proxy):
    guard = AddressGuard((), (proxy[0],))
    address = ("127.0.0.1", int(proxy[0].rsplit(":", 1)[1]))
    guard.check_connection(address, is_proxied=True)
    with pytest.raises(ForbiddenAddress):
        guard.check_connection(address, is_proxied=False)
    with contextlib.suppress(OSError), guard.enforce():
        pass
