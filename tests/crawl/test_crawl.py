import contextlib
import socket
import threading
import time

import httpx
import pytest

from vidal.errors import RecordError
from vidal.net.address_guard import AddressGuard, ForbiddenAddress
from vidal.net.errors import classify_status, parse_retry_after
from vidal.net.governor import LEASE_S, Governor
from vidal.net.rate_limiter import LocalRateLimiter
from vidal.net.settings import Crawl
from vidal.net.urls import check_url
from vidal.schema import Reason


class Clock:
    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


def governor(**settings):
    clock = Clock()
    return Governor(Crawl(**settings), clock=clock, sleep=clock.sleep), clock


def ask(govern, host, answer=None):
    """One request to a host, as a client makes it: admitted, then told how it went."""

    def work():
        govern.admit(host)
        if answer is not None:
            govern.record_failure(host, answer)
            raise answer
        govern.record_success(host)
        return "ok"

    return govern.call(work)


def test_a_host_is_asked_at_its_rate_and_others_are_not_held_up():
    govern, clock = governor(requests_per_s=2, burst=2)
    for _ in range(12):
        ask(govern, "a")
    assert clock.now == pytest.approx(5.0)  # 2 at once, 10 more at 2 a second
    ask(govern, "b")
    assert clock.now == pytest.approx(5.0)


def test_a_host_may_have_limits_of_its_own_with_its_subdomains():
    govern, clock = governor(requests_per_s=100, hosts={"slow.example": {"requests_per_s": 1, "burst": 1}})
    for host in ("slow.example", "www.slow.example", "www.slow.example", "fast.example", "notslow.example"):
        ask(govern, host)
    assert clock.now == pytest.approx(1.0)


def test_transient_failures_are_tried_again_and_counted():
    govern, _ = governor(attempts=3)
    answers = iter([RecordError(Reason.HTTP_5XX, transient=True), RecordError(Reason.TIMEOUT, transient=True)])

    def request():
        if error := next(answers, None):
            raise error
        return "ok"

    assert govern.call(request) == ("ok", 3)


def test_a_lasting_failure_is_not_tried_again():
    govern, clock = governor(attempts=5)
    with pytest.raises(RecordError) as failed:
        ask(govern, "a", RecordError(Reason.HTTP_404))
    assert (failed.value.attempts, clock.now) == (1, 0.0)


def test_the_breaker_leaves_a_failing_host_alone_for_a_while():
    govern, clock = governor(attempts=1, breaker_failures=3, breaker_pause_s=60)
    for _ in range(3):
        with pytest.raises(RecordError, match="http_5xx"):
            ask(govern, "a", RecordError(Reason.HTTP_5XX, transient=True))
    with pytest.raises(RecordError, match="breaker_open"):
        ask(govern, "a")
    clock.now += 61
    assert ask(govern, "a") == ("ok", 1)


def test_a_host_that_names_a_time_is_waited_for_and_costs_no_attempt():
    govern, clock = governor(attempts=1, patience_s=300)
    answers = iter([RecordError(Reason.RATE_LIMITED, transient=True, retry_after_s=30)] * 2)

    def work():
        govern.admit("a")
        if error := next(answers, None):
            govern.record_failure("a", error)
            raise error
        govern.record_success("a")
        return clock.now

    asked_last, attempts = govern.call(work)
    assert asked_last >= 60 and attempts == 3


def test_a_host_that_is_unwilling_for_too_long_is_given_up():
    govern, clock = governor(attempts=1, patience_s=300)
    with pytest.raises(RecordError, match="rate_limited"):
        ask(govern, "a", RecordError(Reason.RATE_LIMITED, transient=True, retry_after_s=100))
    assert clock.now <= 400
    with pytest.raises(RecordError, match="breaker_open"):
        ask(govern, "a")


def test_a_days_requests_are_kept_over_restarts(tmp_path):
    for _ in range(2):
        with_account = Governor(Crawl(daily_requests=1), out=str(tmp_path))
        with contextlib.suppress(RecordError):
            ask(with_account, "a")
    with pytest.raises(RecordError, match="daily_budget"):
        ask(Governor(Crawl(daily_requests=1), out=str(tmp_path)), "a")


def test_a_host_answers_at_most_so_many_at_a_time():
    limiter = LocalRateLimiter()
    rules = Governor(Crawl(host_concurrency=2))._rules_for("a")
    assert [limiter.request_slot("a", lease, rules).is_granted for lease in ("x", "y", "z")] == [True, True, False]
    limiter.release_slot("a", "x")
    assert limiter.request_slot("a", "z", rules).is_granted


def test_a_slot_is_kept_while_its_worker_lives_and_falls_free_after_its_death():
    clock = Clock()
    limiter, rules = LocalRateLimiter(clock), Governor(Crawl(host_concurrency=1, requests_per_s=100))._rules_for("a")
    assert limiter.request_slot("a", "dead", rules).is_granted
    for _ in range(3):
        clock.now += 0.7 * LEASE_S
        limiter.renew_leases([("a", "dead")], LEASE_S)
        assert limiter.request_slot("a", "other", rules).refusal == "busy"
    clock.now += LEASE_S + 1
    assert limiter.request_slot("a", "other", rules).is_granted
    limiter.renew_leases([("a", "dead")], LEASE_S)
    assert limiter.request_slot("a", "third", rules).refusal == "busy"


def test_work_that_lasts_longer_than_its_lease_keeps_its_slot(monkeypatch):
    monkeypatch.setattr("vidal.net.governor.LEASE_S", 0.4)
    monkeypatch.setattr("vidal.net.governor.RENEWED_EVERY_S", 0.1)
    limiter, ended = LocalRateLimiter(), {}
    first, second = (Governor(Crawl(host_concurrency=1, requests_per_s=100), limiter) for _ in range(2))
    started = threading.Event()

    def long():
        first.admit("a")
        started.set()
        time.sleep(1.5)
        ended["first"] = time.monotonic()

    worker = threading.Thread(target=first.call, args=(long,))
    worker.start()
    assert started.wait(10)
    second.call(lambda: second.admit("a"))
    began = time.monotonic()
    worker.join()
    assert began >= ended["first"]


@pytest.mark.parametrize(("header", "seconds"), [("7", 7.0), ("soon", None), (None, None), ("-1", None)])
def test_retry_after_is_seconds_or_a_date(header, seconds):
    assert parse_retry_after(header) == seconds
    assert parse_retry_after("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0


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


def test_statuses_become_typed_outcomes():
    assert (classify_status(404, "").reason, classify_status(404, "").transient) == (Reason.HTTP_404, False)
    assert (classify_status(429, "").reason, classify_status(429, "").transient) == (Reason.RATE_LIMITED, True)
    assert (classify_status(503, "").reason, classify_status(503, "").transient) == (Reason.HTTP_5XX, True)
    assert classify_status(418, "").reason is Reason.HTTP_4XX


def crawl_one(url, recipe_overrides=(), allow=("127.0.0.1",), **columns):
    """One catalogue row through the real crawler: yt-dlp, probe, storage."""
    from vidal.config.loading import load_recipe
    from vidal.crawl.crawler import Crawler
    from vidal.ids import candidate_id
    from vidal.pipeline.stage import Runtime
    from vidal.storage.storage import Storage

    recipe = load_recipe("catalogue", ("crawl.backoff_s=0", "crawl.stall_s=2", *recipe_overrides))
    row = {"candidate_id": candidate_id("url", url, None, None), "shard": 0, "source": None, "platform": "url", "source_id": url,
           "url": url, "media_url": None,
           "kind": None, "search_terms": [], "title": "a title", "hashtags": [], "uploader": None, "licence": None,
           "duration_s": None, "start_s": None, "end_s": None, "curated": True, "extra": None, **columns}  # fmt: skip
    out = "memory://crawl"
    return Crawler(recipe, Runtime(out, 0, "run", allow), Storage(out))(row)


def test_yt_dlp_failures_become_typed_outcomes(serve_folder, tmp_path):
    base = serve_folder(tmp_path)
    (tmp_path / "page.mp4").write_text("<html>please log in</html>")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name, reason in {"none.mp4": Reason.HTTP_404, "page.mp4": Reason.NOT_MEDIA}.items():
        with pytest.raises(RecordError) as failed:
            crawl_one(f"{base}/{name}")
        assert failed.value.reason is reason
    with pytest.raises(RecordError) as failed:
        crawl_one(f"{base}/x.mp4", allow=())
    assert failed.value.reason is Reason.FORBIDDEN_ADDRESS
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    with pytest.raises(RecordError) as failed:
        crawl_one(f"http://127.0.0.1:{closed}/x.mp4")
    assert (failed.value.reason, failed.value.transient, failed.value.attempts) == (Reason.REFUSED, True, 3)


def test_a_span_is_cut_exactly_and_one_past_the_end_costs_itself_alone(serve_folder, tmp_path):
    from tests.conftest import write_video

    base = serve_folder(tmp_path)
    write_video(tmp_path / "v.mp4", frames=48, fps=12)
    clip = crawl_one(f"{base}/v.mp4", start_s=1.0, end_s=3.0).rows[0]
    assert (clip["start_s"], clip["duration_s"]) == (1.0, pytest.approx(2.0, abs=0.01))
    with pytest.raises(RecordError, match="span_outside"):
        crawl_one(f"{base}/v.mp4", start_s=3.0, end_s=9.0)


def test_a_stated_duration_is_not_believed(serve_folder, tmp_path):
    from tests.conftest import write_video

    base = serve_folder(tmp_path)
    write_video(tmp_path / "v.mp4", frames=60, fps=2)
    assert crawl_one(f"{base}/v.mp4", duration_s=5.0).reason is Reason.FALSE_DURATION
    assert crawl_one(f"{base}/v.mp4").reason is Reason.TOO_LONG
    assert crawl_one(f"{base}/v.mp4", duration_s=30.0).reason is Reason.TOO_LONG


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
