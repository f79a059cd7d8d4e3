"""The user's own identities: budgets that their platform never sees exceeded, pauses after a block, and who takes over the work."""

import json
import time

import pandas as pd
import pytest

from tests.conftest import LIGHT, write_video
from tests.support.builds import FAST, crawl_list
from tests.support.inline import vidal_inline
from tests.support.platform_site import Platform, serve_platform, write_cookies
from vidal.net.identity_budgets import IdentityBudgets, IdentityRules, hourly_budget
from vidal.net.quota import Quota, QuotaFile

# An hour of the clients. The platform's is shorter, because a request arrives later than it is counted.
HOUR_S, PLATFORM_HOUR_S = 6.0, 4.5
NAMES = ("ann", "ben", "cat")


@pytest.fixture
def platform(tmp_path, monkeypatch):
    monkeypatch.setattr("vidal.net.identity_budgets.HOUR_S", HOUR_S)
    with serve_platform(Platform(write_video(tmp_path / "v.mp4"), limit=20, hour_s=PLATFORM_HOUR_S)) as site:
        yield site


def identities(tmp_path, **settings):
    listed = [
        {"name": name, "cookies_file": str(write_cookies(tmp_path / f"{name}.txt", name)), **settings} for name in NAMES
    ]
    return f"crawl.identities={json.dumps(listed)}"


def test_a_hundred_videos_are_collected_by_three_identities_within_their_budgets(platform, tmp_path):
    urls = [f"{platform.url}/watch/{number}" for number in range(100)]
    crawled = crawl_list(tmp_path, urls, identities(tmp_path, videos_per_hour=20), "crawl.share_identities=true")
    assert crawled.finished.returncode == 0, crawled.finished.stderr
    assert {crawled.reason(url) for url in urls} == {"kept"}
    assert not platform.refused
    assert {who: len(times) for who, times in platform.watched.items()}.keys() == set(NAMES)
    assert sum(map(len, platform.watched.values())) == 100
    assert platform.fetched.keys() == set(NAMES)


class Later:
    """A clock that can be put forward."""

    ahead_s = 0.0

    def __call__(self):
        return time.time() + self.ahead_s


def test_work_waits_for_its_own_identity_unless_they_share_and_retries_end_it(tmp_path, monkeypatch):
    clock = Later()
    monkeypatch.setattr("vidal.net.rate_limiter.IdentityBudgets", lambda: IdentityBudgets(Quota(clock)))
    listed, out = tmp_path / "list.csv", tmp_path / "out"
    count, limit = 24, 4
    with serve_platform(Platform(write_video(tmp_path / "v.mp4"), limit, 3600.0, clock)) as platform:
        pd.DataFrame({"url": [f"{platform.url}/watch/{n}" for n in range(count)], "title": "A dog runs"}).to_csv(listed)
        settings = (*FAST, *LIGHT, identities(tmp_path, videos_per_hour=limit), "filters.similarity_min=-1",
                    "duplicates={exact: false, near: false}")  # fmt: skip
        done = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(listed), "--out", str(out),
                            "--allow-host", "127.0.0.1", *(part for each in settings for part in ("--set", each)))  # fmt: skip
        failed = failures(out)
        assert done.returncode == 0 and set(failed.reason) == {"identity_paused"} and failed.transient.all()
        while len(failed):
            clock.ahead_s += 3660
            assert vidal_inline("retry", str(out), "--allow-host", "127.0.0.1").returncode == 0
            before, failed = len(failed), failures(out)
            assert len(failed) < before
        assert not platform.refused
        assert sum(map(len, platform.watched.values())) == len(pd.read_parquet(out)) == count


def failures(out):
    ledger = pd.read_parquet(out / "_ledger")
    return ledger[(ledger.subject == "candidate") & (ledger.status == "failed")]


def test_a_block_pauses_its_identity_and_another_takes_over_where_they_share(platform, tmp_path):
    platform.banned, platform.limit = {"ann"}, 100
    urls = [f"{platform.url}/watch/{number}" for number in range(30)]
    crawled = crawl_list(tmp_path, urls, identities(tmp_path), "crawl.share_identities=true")
    assert {crawled.reason(url) for url in urls} == {"kept"}
    assert "ann" not in platform.fetched
    # Those that were on their way when the first was refused.
    assert platform.refused.keys() == {"ann"} and platform.refused["ann"] <= 4


def test_a_block_costs_the_work_of_its_identity_alone_and_lasts_over_a_restart(platform, tmp_path):
    platform.banned, platform.limit = {"ann"}, 100
    urls = [f"{platform.url}/watch/{number}" for number in range(30)]
    settings = (identities(tmp_path), "crawl.patience_s=0.5", "crawl.concurrency=1")
    crawled = crawl_list(tmp_path, urls, *settings)
    failed = [url for url in urls if crawled.reason(url) != "kept"]
    assert 0 < len(failed) < 30
    assert sorted(map(crawled.reason, failed)) == ["bot_check"] + ["identity_paused"] * (len(failed) - 1)
    assert all(crawled.outcomes[url]["transient"] for url in failed)
    assert platform.refused == {"ann": 1}
    again = crawl_list(tmp_path, urls, *settings, "crawl.timeout_s=110")  # Which makes all of them be crawled again.
    assert [again.reason(url) for url in failed] == ["identity_paused"] * len(failed)
    assert platform.refused == {"ann": 1}


def test_plain_addresses_use_no_identity(platform, tmp_path):
    url = f"{platform.url}/media/1.mp4"
    crawled = crawl_list(tmp_path, [url], identities(tmp_path, requests_per_hour=1))
    assert crawled.reason(url) == "kept"
    assert platform.fetched == {"nobody": 1}


def test_the_pages_and_files_of_a_video_count_as_requests(platform, tmp_path):
    urls = [f"{platform.url}/watch/{number}" for number in range(6)]
    one = json.dumps(
        [{"name": "ann", "cookies_file": str(write_cookies(tmp_path / "a.txt", "ann")), "requests_per_hour": 6}]
    )
    crawled = crawl_list(tmp_path, urls, f"crawl.identities={one}", "crawl.patience_s=0", "crawl.concurrency=1")
    assert [crawled.reason(url) for url in urls] == ["kept"] * 3 + ["identity_paused"] * 3
    assert len(platform.watched["ann"]) == platform.fetched["ann"] == 3


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("[{name: ann}, {name: ann}]", "'ann' is used twice"),
        ("[{name: ann, cookies_file: nowhere.txt}]", "crawl.identities: ann: cookies_file nowhere.txt: no such file"),
        ("[{name: ann, videos_per_hour: 0}]", "videos_per_hour"),
        ("[{cookies_file: nowhere.txt}]", "name"),
    ],
)
def test_identities_that_cannot_be_are_refused_at_the_start(tmp_path, setting, message):
    crawled = crawl_list(tmp_path, ["http://127.0.0.1:9/a.mp4"], f"crawl.identities={setting}")
    assert crawled.finished.returncode == 2 and message in crawled.finished.stderr
    assert not (tmp_path / "out").exists()


def test_plan_names_the_identities_and_the_sum_of_their_budgets(tmp_path):
    setting = "[{name: ann, videos_per_hour: 300}, {name: ben, videos_per_hour: 200}]"
    shown = vidal_inline("plan", "--recipe", "catalogue", "--set", f"crawl.identities={setting}")
    assert shown.returncode == 0
    assert "identities: ann, ben; per hour: unlimited requests, 500 videos" in shown.stdout


class Clock:
    now = 1_700_000_000.0

    def __call__(self):
        return self.now


def test_a_budget_slides_and_is_kept_over_a_restart(tmp_path):
    clock, file = Clock(), QuotaFile(str(tmp_path), "identities.json")
    rules = IdentityRules("ann", hourly_budget(None, file), hourly_budget(3, file), file)
    granted = []
    for step in range(400):
        budgets = IdentityBudgets(Quota(clock))  # As after a restart.
        if budgets.take(rules, "videos") == 0.0:
            granted.append(clock.now)
        else:
            assert budgets.wait_s(rules) > 0
        clock.now += 47.0 if step % 3 else 61.0
    assert len(granted) > 12
    assert all(later - first >= 3600 for first, later in zip(granted, granted[3:], strict=False))


def test_a_wait_ends_when_the_next_use_is_free(tmp_path):
    clock = Clock()
    budgets = IdentityBudgets(Quota(clock))
    rules = IdentityRules("ann", hourly_budget(2, None), hourly_budget(None, None), None)
    assert [budgets.take(rules, "requests") for _ in range(2)] == [0.0, 0.0]
    wait_s = budgets.take(rules, "requests")
    assert 3600 <= wait_s <= 3660
    clock.now += wait_s
    assert budgets.take(rules, "requests") == 0.0
    budgets.pause(rules, 100.0)
    assert budgets.take(rules, "requests") == budgets.wait_s(rules) == 100.0


@pytest.mark.xdist_group("ray")
def test_budgets_hold_for_all_workers_of_a_cluster(on_ray, tmp_path):
    file = QuotaFile(str(tmp_path), "identities.json")
    rules = IdentityRules(f"ann of {tmp_path}", hourly_budget(None, file), hourly_budget(3, file), file)
    workers = [on_ray.rate_limiter() for _ in range(2)]
    assert [workers[turn % 2].use_identity(rules, "videos") == 0.0 for turn in range(4)] == [True, True, True, False]
    assert (
        workers[0].identity_wait_s(rules) == pytest.approx(workers[1].identity_wait_s(rules), abs=60)
        and workers[0].identity_wait_s(rules) > 0
    )
    assert json.loads((tmp_path / "identities.json").read_text())["uses"]
    workers[0].pause_identity(rules, 7200.0)
    assert workers[1].use_identity(rules, "requests") > 7000
