"""Clients of a worker: few, used again, closed with it and really freed; one audit hook, one watchdog."""

import asyncio
import contextlib
import gc
import logging
import subprocess
import sys
import textwrap
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from http.cookiejar import Cookie

import pytest
from aiohttp import web
from yt_dlp.extractor import gen_extractor_classes

from vidal.config.loading import load_recipe
from vidal.errors import RecordError
from vidal.net.address_guard import Connections
from vidal.net.watchdog import Watchdog
from vidal.net.work_budget import WorkBudget
from vidal.pipeline.stage import Runtime
from vidal.sources import session as network_module
from vidal.sources.embedded.site import serve
from vidal.sources.session import Network
from vidal.sources.ytdlp_extractors import _BY_PATTERNS, ExtractorMatcher


@pytest.fixture
def site():
    """Answers every address, whole or slowly, until the test has ended."""
    is_over, peers = threading.Event(), set()

    async def answer(request):
        peers.add(request.transport.get_extra_info("peername"))
        response = web.StreamResponse(headers={"Content-Length": "10"})
        await response.prepare(request)
        if "slow" in request.path:
            await response.write(b"01234")
            while not is_over.is_set():
                await asyncio.sleep(0.05)
        else:
            await response.write(b"0123456789")
        return response

    app = web.Application()
    app.router.add_get("/{name:.*}", answer)
    with serve(app) as url:
        yield url, peers
        is_over.set()


def network_of(*overrides):
    return Network(load_recipe("catalogue", overrides), Runtime("memory://clients", "run", ("127.0.0.1",)))


def client_of(network):
    return network.call(lambda sources: sources._client)[0]


def asked(session, url):
    """A whole answer is read, and the connection is free again. session: or a network."""

    def fetch(sources):
        with sources._client.urlopen(url) as response:
            while response.read(1 << 16):
                pass

    session.call(fetch)


def with_cookies(client, *names):
    for name in names:
        stated = {
            "port": None,
            "port_specified": False,
            "domain": "127.0.0.1",
            "domain_specified": True,
            "domain_initial_dot": False,
        }
        client.cookiejar.set_cookie(Cookie(0, name, "value", **stated, path="/", path_specified=True, secure=False,
                                           expires=2**31, discard=False, comment=None, comment_url=None, rest={}))  # fmt: skip


def handlers():
    """Clients that yt-dlp's logging would keep alive: each has one from its first request until it is closed."""
    return sum(type(handler).__name__ == "Urllib3LoggingHandler" for handler in logging.getLogger("urllib3").handlers)


@pytest.mark.parametrize("how", ["closed", "forgotten"])
def test_no_client_survives_its_network(site, how):
    gc.collect()
    before, network = handlers(), network_of()
    with network.session() as one, network.session() as two:
        asked(one, site[0])
        asked(two, site[0])
        clients = [weakref.ref(one.client), weakref.ref(two.client)]
    del one, two
    assert handlers() == before + 2
    if how == "closed":
        network.close()
    del network
    gc.collect()
    assert [client() for client in clients] == [None, None]
    assert handlers() == before


def test_a_client_that_works_while_its_network_is_closed_is_closed_when_it_has_ended(site):
    gc.collect()
    before, network = handlers(), network_of()
    with network.session() as session:
        network.close()
        asked(session, site[0])
        assert handlers() == before + 1
        client = weakref.ref(session.client)
    del session
    gc.collect()
    assert client() is None and handlers() == before


def test_new_threads_use_the_clients_of_those_that_have_ended():
    network, clients = network_of(), set()
    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            clients |= {id(client) for client in pool.map(lambda _: client_of(network), range(4))}
    assert len(clients) <= 2


def test_threads_at_the_same_time_have_a_client_each():
    network, together = network_of(), threading.Barrier(3, timeout=60)

    def work(_):
        with network.session() as session:
            together.wait()
            return id(session.client)

    with ThreadPoolExecutor(3) as pool:
        assert len(set(pool.map(work, range(3)))) == 3


def test_a_client_whose_cookie_jar_is_full_is_replaced(monkeypatch):
    monkeypatch.setattr(network_module, "_COOKIES_MAX", 3)
    network = network_of()
    first = client_of(network)
    assert client_of(network) is first
    with_cookies(first, "a", "b", "c", "d")
    client_of(network)
    assert client_of(network) is not first


def test_the_recipes_cookies_file_is_not_written(tmp_path):
    path = tmp_path / "cookies.txt"
    path.write_text("# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t2147483647\tname\tvalue\n")
    before = path.read_bytes()
    network = network_of(f"crawl.cookies_file={path}")
    assert [cookie.name for cookie in client_of(network).cookiejar] == ["name"]
    with_cookies(client_of(network), "other")
    network.close()
    assert path.read_bytes() == before


def test_connections_are_kept_alive_over_candidates_and_threads(site):
    network, (url, peers) = network_of(), site
    for index in range(3):
        in_a_thread(lambda index=index: asked(network, f"{url}/{index}.mp4"))
    assert len(peers) == 1


def test_a_connection_that_another_thread_has_opened_is_shut_at_the_deadline(site):
    """It is the client's, whichever thread it works in now."""
    network, (url, peers) = network_of("crawl.timeout_s=1.5", "crawl.stall_s=30", "crawl.attempts=1"), site
    in_a_thread(lambda: asked(network, f"{url}/quick"))
    began = time.monotonic()
    with pytest.raises(RecordError, match="timeout"):
        asked(network, f"{url}/slow")
    assert len(peers) == 1 and 1.0 < time.monotonic() - began < 5.0


def in_a_thread(work):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_one_watchdog_thread_watches_all_and_ends_when_there_is_nothing_left(monkeypatch):
    monkeypatch.setattr("vidal.net.watchdog._WAIT_MAX_S", 0.05)
    watchdog, budgets, threads = Watchdog(), [WorkBudget(seconds, 1, 1) for seconds in (60, 0.1, 60)], set()
    with contextlib.ExitStack() as stack:
        for budget in budgets:
            stack.enter_context(watchdog.watch(budget, Connections()))
            threads.add(watchdog._thread)
        time.sleep(0.4)
        assert [budget.is_over for budget in budgets] == [False, True, False]
    (thread,) = threads
    thread.join(10)
    assert not thread.is_alive()
    again = WorkBudget(0.1, 1, 1)
    with watchdog.watch(again, Connections()):
        time.sleep(0.4)
        assert again.is_over


def test_guards_leave_one_hook_in_a_process_however_many_there_were():
    """In a process of its own: hooks cannot be counted, nor removed, but each is called once an event."""
    code = """
        import sys
        from vidal.net import address_guard as guard
        installed = []
        add = sys.addaudithook
        sys.addaudithook = lambda hook: (installed.append(hook), add(hook))
        for _ in range(50):
            with guard.AddressGuard(()).enforce():
                pass
        assert len(installed) == 1, installed
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=True)


def test_an_address_has_an_extractor_where_yt_dlp_says_so():
    """Over addresses that yt-dlp's extractors test themselves with, and such as none of them claims."""
    client = client_of(network_of())
    matcher = ExtractorMatcher(client._ies)
    looking_closer = [each for each in gen_extractor_classes() if each.suitable.__func__ not in _BY_PATTERNS]
    urls = [url for each in (*looking_closer, *gen_extractor_classes()[::40]) for url in own_tests(each)]
    urls += ["http://127.0.0.1/a.mp4", "https://vimeo.com/about", "https://vimeo.com/123", "https://example.org/a/b.mp4?v=1",
             "https://www.youtube.com/", "https://www.youtube.com/watch?v=BaW_jenozKc", "https://youtu.be/BaW_jenozKc"]  # fmt: skip
    assert len(urls) > 300
    for url in urls:
        assert matcher.has_extractor(url) == any(
            key != "Generic" and each.suitable(url) for key, each in client._ies.items()
        ), url


def own_tests(extractor):
    real = getattr(extractor, "real_class", extractor)
    return [test["url"] for test in real.get_testcases(include_onlymatching=True)][:5]
