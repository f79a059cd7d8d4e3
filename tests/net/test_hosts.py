"""Hosts that lead to each other, that are too busy, or that fail: every address ends, and each failure is charged to whose it is."""

import asyncio
import time
from collections import Counter

import pytest
from aiohttp import web

from tests.conftest import write_video
from tests.support.builds import crawl_list
from vidal.sources.embedded.site import serve


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("v") / "v.mp4").read_bytes()


class Host:
    """A site on loopback. answers: by path, a response or a function of the request; asked: how often each path was."""

    def __init__(self):
        self.answers, self.asked, self.times = {}, Counter(), []
        self.url = ""

    async def get(self, request):
        self.asked[request.path] += 1
        if request.path.startswith(("/robots", "/ai.txt", "/.well")):
            raise web.HTTPNotFound
        self.times.append((time.monotonic(), request.path))
        answer = self.answers.get(request.path) or self.answers.get("*")
        return answer(request)

    @property
    def media_asked(self):
        return sum(count for path, count in self.asked.items() if path.endswith((".mp4", ".html")))


@pytest.fixture
def hosts():
    """Two hosts: 127.0.0.1 and localhost."""
    first, second = Host(), Host()
    apps = []
    for host in (first, second):
        app = web.Application()
        app.router.add_get("/{name:.*}", host.get)
        apps.append(app)
    with serve(apps[0]) as one, serve(apps[1]) as two:
        first.url, second.url = one, two.replace("127.0.0.1", "localhost")
        yield first, second


def file(data):
    return lambda request: web.Response(body=data, content_type="video/mp4")


def leads_to(address):
    return lambda request: web.Response(status=302, headers={"Location": address})


def fails(status, **headers):
    return lambda request: web.Response(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


def test_two_hosts_that_lead_to_each_other_both_end(hosts, video, tmp_path):
    """C4."""
    one, two = hosts
    one.answers = {"/x.mp4": leads_to(f"{two.url}/y.mp4"), "/y.mp4": file(video)}
    two.answers = {"/x.mp4": leads_to(f"{one.url}/y.mp4"), "/y.mp4": file(video)}
    urls = [f"{one.url}/x.mp4?{i}" for i in range(6)] + [f"{two.url}/x.mp4?{i}" for i in range(6)]
    started = time.monotonic()
    crawled = crawl_list(tmp_path, urls, "crawl.host_concurrency=1", allow=("127.0.0.1", "localhost"))
    assert [crawled.reason(url) for url in urls] == ["kept"] * 12
    assert time.monotonic() - started < 30


def test_two_hosts_that_lead_to_each_other_for_ever_end_as_loops(hosts, tmp_path):
    """C4, where each of them answers with a redirect to the other."""
    one, two = hosts
    one.answers = {"/x.mp4": leads_to(f"{two.url}/y.mp4")}
    two.answers = {"/y.mp4": leads_to(f"{one.url}/x.mp4")}
    urls = [f"{one.url}/x.mp4", f"{two.url}/y.mp4"]
    crawled = crawl_list(tmp_path, urls, "crawl.host_concurrency=1", allow=("127.0.0.1", "localhost"))
    assert [crawled.reason(url) for url in urls] == ["redirect_loop"] * 2


@pytest.mark.parametrize("is_kept_alive", [True, False])
def test_a_redirect_to_itself_with_another_query_is_a_loop_and_costs_one_attempt(hosts, tmp_path, is_kept_alive):
    """C17."""
    one, _ = hosts
    count = iter(range(1000))

    def again(request):
        response = web.Response(
            status=302, text="Moved." * 100, headers={"Location": f"/loop/clip.mp4?n={next(count)}"}
        )
        if not is_kept_alive:
            response.force_close()
        return response

    one.answers = {"/loop/clip.mp4": again}
    url = f"{one.url}/loop/clip.mp4"
    crawled = crawl_list(tmp_path, [url], "crawl.max_redirects=7")
    assert crawled.reason(url) == "redirect_loop"
    assert (crawled.outcomes[url]["attempts"], crawled.outcomes[url]["transient"]) == (1, False)
    assert one.asked["/loop/clip.mp4"] == 8


def test_a_medium_that_is_asked_too_often_for_ever_ends_after_its_attempts(hosts, tmp_path):
    """C9: its page answers 200 each time, which must not start the count anew."""
    one, _ = hosts
    page = '<!doctype html><html><head><title>A cat</title></head><body><video src="/clip.mp4"></video></body></html>'
    one.answers = {
        "/page.html": lambda request: web.Response(text=page, content_type="text/html"),
        "/clip.mp4": fails(429, Retry_After="0"),
    }
    url = f"{one.url}/page.html"
    crawled = crawl_list(tmp_path, [url], "crawl.attempts=2", "crawl.patience_s=5")
    assert (crawled.reason(url), crawled.outcomes[url]["transient"]) == ("rate_limited", True)
    assert one.asked["/clip.mp4"] <= 4


@pytest.mark.parametrize("after", ["0", "-5", "Wed, 21 Oct 2015 07:28:00 GMT", "1"])
def test_a_file_that_is_asked_too_often_for_ever_ends_within_the_patience(hosts, tmp_path, after):
    one, _ = hosts
    one.answers = {"/clip.mp4": fails(429, Retry_After=after)}
    url = f"{one.url}/clip.mp4"
    started = time.monotonic()
    crawled = crawl_list(tmp_path, [url], "crawl.attempts=2", "crawl.patience_s=4", "crawl.breaker_pause_s=1")
    assert (crawled.reason(url), crawled.outcomes[url]["transient"]) == ("rate_limited", True)
    assert one.asked["/clip.mp4"] <= 6
    assert time.monotonic() - started < 20


def test_a_failure_is_charged_to_the_host_that_answered_it(hosts, video, tmp_path):
    """C10: the first host only leads to the one that fails, and goes on meanwhile."""
    one, two = hosts
    one.answers = {"/away.mp4": leads_to(f"{two.url}/busy.mp4"), "*": file(video)}
    two.answers = {"*": fails(503, Retry_After="3")}
    away = [f"{one.url}/away.mp4?{i}" for i in range(3)]
    good = [f"{one.url}/good{i}.mp4" for i in range(6)]
    crawled = crawl_list(
        tmp_path, [*away, *good], "crawl.breaker_failures=2", "crawl.attempts=2", "crawl.patience_s=8", "crawl.concurrency=2",
        allow=("127.0.0.1", "localhost"),
    )  # fmt: skip
    assert [crawled.reason(url) for url in good] == ["kept"] * 6
    assert {crawled.reason(url) for url in away} <= {"http_5xx", "breaker_open"}
    assert all(crawled.outcomes[url]["transient"] for url in away)
    times = [at for at, path in one.times if path.startswith("/good")]
    assert times[-1] - one.times[0][0] < 3.0


def test_a_paused_host_loses_no_candidate_and_others_go_on_meanwhile(hosts, video, tmp_path):
    """C16: 18 files that fail open the breaker; the good one answers 503 twice, and is waited for."""
    one, two = hosts
    answers = iter([503, 503])

    def third_time_good(request):
        status = next(answers, 200)
        return web.Response(status=status) if status != 200 else file(video)(request)

    one.answers = {"/good.mp4": third_time_good, "*": fails(503)}
    two.answers = {"*": file(video)}
    bad = [f"{one.url}/bad{i}.mp4" for i in range(18)]
    others = [f"{two.url}/other{i}.mp4" for i in range(5)]
    urls = [*bad[:9], f"{one.url}/good.mp4", *bad[9:], *others]
    crawled = crawl_list(tmp_path, urls, "crawl.breaker_pause_s=0.6", "crawl.patience_s=60", "engine.part_size=32",
                         allow=("127.0.0.1", "localhost"))  # fmt: skip
    assert crawled.reason(f"{one.url}/good.mp4") == "kept"
    assert {crawled.reason(url) for url in bad} == {"http_5xx"}
    assert [crawled.reason(url) for url in others] == ["kept"] * 5
    last_other = max(at for at, path in two.times)
    assert last_other < max(at for at, path in one.times)


def test_a_slow_host_costs_its_time_once(hosts, tmp_path):
    one, _ = hosts

    async def drip(request):
        response = web.StreamResponse(headers={"Content-Type": "video/mp4", "Content-Length": "100000"})
        await response.prepare(request)
        for _ in range(60):
            await response.write(b"x")
            await asyncio.sleep(0.5)
        return response

    one.answers = {"/slow.mp4": drip}

    async def get(request):
        answer = one.answers.get(request.path)
        if answer is None:
            raise web.HTTPNotFound
        return await answer(request)

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    with serve(app) as url:
        started = time.monotonic()
        crawled = crawl_list(tmp_path, [f"{url}/slow.mp4"], "crawl.timeout_s=3", "crawl.attempts=3")
        assert crawled.reason(f"{url}/slow.mp4") == "timeout"
        assert time.monotonic() - started < 10
