"""The governor and the rate limiter: when a host is asked, how often, and when it is left alone."""

import contextlib
import threading
import time

import pytest

from vidal.errors import PutBack, RecordError
from vidal.net.effort import Effort
from vidal.net.governor import LEASE_S, Governor
from vidal.net.quota import Budget, Quota, QuotaFile
from vidal.net.rate_limiter import LocalRateLimiter
from vidal.net.settings import Crawl
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
    """One request to a host, as a client makes it: it is admitted, and its result is recorded."""

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
    govern, clock = governor(attempts=1, breaker_failures=3, breaker_pause_s=60, patience_s=0)
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


def test_a_host_that_fails_is_waited_for_while_the_patience_lasts():
    govern, clock = governor(attempts=1, breaker_failures=3, breaker_pause_s=60, patience_s=300)
    for _ in range(3):
        with pytest.raises(RecordError, match="http_5xx"):
            ask(govern, "a", RecordError(Reason.HTTP_5XX, transient=True))
    assert ask(govern, "a") == ("ok", 1)
    assert 60 <= clock.now <= 62


def test_a_host_that_names_no_time_to_wait_costs_an_attempt_each_time():
    """C9: a page that answers in between closes the breaker, so that only the attempts end it."""
    govern, clock = governor(attempts=2, patience_s=5, requests_per_s=100)
    asked = []

    def work():
        govern.admit("a")
        govern.record_success("a")
        asked.append(clock.now)
        error = RecordError(Reason.RATE_LIMITED, transient=True, retry_after_s=0.0)
        govern.record_failure("a", error)
        raise error

    with pytest.raises(RecordError) as failed:
        govern.call(work)
    assert (failed.value.reason, failed.value.transient, failed.value.attempts) == (Reason.RATE_LIMITED, True, 2)
    assert len(asked) == 2


def test_attempts_waits_and_seconds_of_one_candidate_have_limits_over_all_of_its_works():
    govern, _ = governor(attempts=3, timeout_s=100, backoff_s=0)
    effort, calls = Effort(work_s=40.0), []

    def work():
        calls.append(1)
        effort.work_s += 40.0
        raise RecordError(Reason.TIMEOUT, transient=True)

    with pytest.raises(RecordError, match="timeout"):
        govern.call(work, effort)
    assert len(calls) == 2


def test_a_pause_puts_work_back_where_others_can_go_on():
    govern, clock = governor(attempts=2, breaker_failures=1, breaker_pause_s=30)
    effort = Effort(may_be_put_back=True)
    answers = iter([RecordError(Reason.HTTP_5XX, transient=True)])

    def work():
        govern.admit("a")
        if error := next(answers, None):
            govern.record_failure("a", error)
            raise error
        return "ok"

    with pytest.raises(PutBack):
        govern.call(work, effort)
    with pytest.raises(PutBack) as put_back:
        govern.call(work, effort)
    assert 29 <= put_back.value.wait_s <= 30 and clock.now == 0.0
    clock.now += 30
    assert govern.call(work, effort) == ("ok", 2)


def test_work_holds_no_host_while_it_waits_for_another():
    """C4: two hosts with one slot each that lead to each other."""
    limiter = LocalRateLimiter()
    governors = [Governor(Crawl(host_concurrency=1, requests_per_s=1000, burst=1000), limiter) for _ in range(2)]
    both_hold, ended = threading.Barrier(2), []

    def work(govern, first, second):
        govern.admit(first)
        both_hold.wait(10)
        govern.admit(second)
        ended.append(first)

    threads = [
        threading.Thread(target=govern.call, args=(lambda g=govern, p=pair: work(g, *p),), daemon=True)
        for govern, pair in zip(governors, (("a", "b"), ("b", "a")), strict=True)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(ended) == ["a", "b"]


def test_a_days_requests_are_kept_over_restarts(tmp_path):
    for _ in range(2):
        with_account = Governor(Crawl(daily_requests=1), out=str(tmp_path))
        with contextlib.suppress(RecordError):
            ask(with_account, "a")
    with pytest.raises(RecordError, match="daily_budget"):
        ask(Governor(Crawl(daily_requests=1), out=str(tmp_path)), "a")


@pytest.mark.parametrize("limit", [5, 1000])
def test_a_days_budget_is_exact_over_a_killed_process(tmp_path, limit):
    """Nothing is written when a process is killed, so what is stored must be ahead of what was asked."""
    granted = 0
    for _ in range(3):
        quota, budget = Quota(), Budget(limit, file=QuotaFile(str(tmp_path), "requests.json"))
        for _ in range(limit):
            granted += quota.take("a", budget) == 0.0
            if granted == 3:
                break
    assert granted <= limit
    assert granted >= 0.9 * limit or limit == 5 == granted


def test_a_host_answers_at_most_so_many_at_a_time():
    limiter = LocalRateLimiter()
    rules = Governor(Crawl(host_concurrency=2))._rules_for("a")
    assert [limiter.request_slot("a", lease, rules).is_granted for lease in ("x", "y", "z")] == [True, True, False]
    limiter.release_slot("a", "x")
    assert limiter.request_slot("a", "z", rules).is_granted


class CountingLimiter(LocalRateLimiter):
    """Counts how often it is asked, as each question is a call to another process on a cluster."""

    asked = 0

    def request_slot(self, host, lease, rules):
        self.asked += 1
        return super().request_slot(host, lease, rules)


def many_requests(count, pieces, seconds_each, **settings):
    """Pieces of work with so many requests each. Returns how often the limiter was asked, and the seconds that all took."""
    clock = Clock()
    limiter = CountingLimiter(clock)
    govern = Governor(Crawl(**settings), limiter, clock=clock, sleep=clock.sleep)

    def work():
        for _ in range(count):
            govern.admit("a")
            clock.sleep(seconds_each)

    for _ in range(pieces):
        govern.call(work)
    return limiter.asked, clock.now


def test_a_fast_host_grants_several_requests_at_once_at_the_same_rate():
    asked, seconds = many_requests(10, 30, 0.1, requests_per_s=20, burst=20)
    assert seconds == pytest.approx(30) and asked <= 60
    assert many_requests(10, 30, 0, requests_per_s=20, burst=20)[1] == pytest.approx((300 - 20) / 20, abs=0.5)
    # Where requests are few, each one is asked for.
    assert many_requests(10, 3, 0.1, requests_per_s=2, burst=20)[0] == 30
    assert many_requests(10, 3, 0.1, requests_per_s=20, burst=20, daily_requests=100)[0] == 30


def test_requests_that_were_granted_and_not_sent_are_given_back_and_do_not_last():
    clock = Clock()
    limiter = CountingLimiter(clock)
    govern = Governor(Crawl(requests_per_s=20, burst=20), limiter, clock=clock, sleep=clock.sleep)
    for _ in range(20):
        govern.call(lambda: govern.admit("a"))
    assert (limiter.asked, clock.now) == (20, 0.0)

    def slow():
        clock.sleep(100)
        for _ in range(3):
            govern.admit("a")
            clock.sleep(2)

    govern.call(slow)
    assert limiter.asked == 23  # What is granted for a second is asked for again after two.


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


def test_a_success_during_a_named_pause_does_not_make_the_host_hopeless():
    """A request that was under way when the host asked for a pause."""
    clock = Clock()
    clock.now = 100_000.0
    limiter, rules = LocalRateLimiter(clock), Governor(Crawl(patience_s=600))._rules_for("a")
    limiter.record_failure("a", rules, pause_s=30)
    limiter.record_success("a")
    refused = limiter.request_slot("a", "later", rules)
    assert (refused.is_granted, refused.refusal, refused.wait_s) == (False, "paused", 30)
