"""Show: a build of 130 hostile addresses and 20 good ones keeps the good ones, and nothing that parses or decodes needs 1 GB."""

import json
import subprocess
import sys
import time

import pandas as pd
import psutil
import pyarrow.parquet as pq
import pytest

from tests.conftest import LIGHT, ROOT, sets
from tests.hostile import CASES, serve
from tests.hostile.sample import sample_video

SETTINGS = (
    *LIGHT,
    "engine.executor=inline",
    "crawl.timeout_s=12",
    "crawl.stall_s=2",
    "crawl.max_bytes=3000000",
    "crawl.page_max_bytes=1000000",
    "crawl.page_cpu_s=2",
    "crawl.attempts=1",
    "crawl.requests_per_s=200",
    "crawl.burst=200",
    "crawl.concurrency=8",
    "crawl.host_concurrency=8",
    "crawl.breaker_pause_s=1",
    "crawl.patience_s=8",
    "crawl.backoff_s=0.1",
    "decoding.cpu_s=2",
    "filters.similarity_min=-1",
    "duplicates={exact: false, near: false}",
)
MEMORY_MAX_BYTES = 1_000_000_000
# Addresses whose host or form is hostile: what their outcome may be.
UNREACHED = {"forbidden_address"}
NAMED = {
    "http://2852039166/a.mp4": UNREACHED,
    "http://0xa9fea9fe/a.mp4": UNREACHED,
    "http://169.254.169.254/latest/meta-data/": UNREACHED,
    "http://169.254.169.254./a.mp4": UNREACHED,
    "http://[64:ff9b::7f00:1]/a.mp4": UNREACHED,
    "http://[2002:7f00:1::]/a.mp4": UNREACHED,
    "http://[::127.0.0.1]/a.mp4": UNREACHED,
    "http://[fe80::1]/a.mp4": UNREACHED,
    "http://[fc00::1]/a.mp4": UNREACHED,
    "http://10.0.0.1/a.mp4": UNREACHED,
    "http://192.168.0.1/a.mp4": UNREACHED,
    "http://0.0.0.0/a.mp4": UNREACHED,
    "http://224.0.0.1/a.mp4": UNREACHED,
    "http://user:secret@10.0.0.2/a.mp4": UNREACHED,
    "http://metadata.internal/a.mp4": {"dns", *UNREACHED},
    "http://no-such-host.invalid/a.mp4": {"dns", *UNREACHED},
    "http://127.0.3.1:1/a.mp4": {"refused"},
    "http://127.0.3.2:99999/a.mp4": {"bad_url", "bad_row"},
    "http://[::1/a.mp4": {"bad_url", "bad_row"},
    "http:///a.mp4": {"bad_url", "bad_row"},
    "ftp://127.0.3.3/a.mp4": {"forbidden_scheme", "bad_row", "bad_url"},
    "rtmp://127.0.3.4/live/a": {"forbidden_scheme", "bad_row", "bad_url"},
    "file:///etc/hostname": {"forbidden_scheme", "bad_row", "bad_url"},
    "javascript:alert(1)": {"forbidden_scheme", "bad_row", "bad_url"},
}
HOSTILE = [case for case in CASES if "kept" not in case.expect]
COUNT, GOOD = 130, 20


def hostile_cases():
    """The cases of the kit, again and again until there are 130 addresses with those above; each has a host of its own."""
    count = COUNT - len(NAMED)
    assert count >= 2 * len(HOSTILE)
    return [(HOSTILE[index % len(HOSTILE)], f"127.0.1.{index + 1}", index // len(HOSTILE)) for index in range(count)]


class Observed:
    """The resident memory of the processes that parse pages and media or decode, at its highest, by what they are.

    A process that has been forked and has not begun its program yet still has the memory of the build, and is left out.
    """

    def __init__(self):
        self.highest = {"limited_process": 0, "ffmpeg": 0}

    def poll(self, pid):
        for child in psutil.Process(pid).children(recursive=True):
            try:
                command, resident = " ".join(child.cmdline()[:3]), child.memory_info().rss
            except psutil.Error:
                continue
            for kind in self.highest:
                if kind in command:
                    self.highest[kind] = max(self.highest[kind], resident)


def build(listed, out, hosts):
    """Returns the finished command and what was observed."""
    allowed = [part for host in hosts for part in ("--allow-host", host)]
    command = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "catalogue", "--catalogue", str(listed),
               "--out", str(out), *sets(*SETTINGS), *allowed]  # fmt: skip
    observed = Observed()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        while process.poll() is None:
            try:
                observed.poll(process.pid)
            except psutil.NoSuchProcess:
                break
            time.sleep(0.01)
        output, _ = process.communicate()
    return process.returncode, output, observed.highest


def without_password(url):
    return url.replace("user:secret@", "")


def outcomes(out, urls):
    """Returns the outcomes of each address, "kept" or a reason. A row that a list cannot hold is named by its outcome's detail."""
    ledger = pd.read_parquet(out / "_ledger")
    by_id = {
        row["candidate_id"]: row["url"]
        for path in out.glob("_stages/discover/shard-00000/part-*[0-9].parquet")
        for row in pq.read_table(path).to_pylist()
    }
    reasons = {url: [] for url in urls}
    for row in ledger[ledger.subject == "candidate"].itertuples():
        stored = by_id.get(row.id)
        url = next(url for url in urls if without_password(url) == stored or (stored is None and url in row.detail))
        reasons[url].append("kept" if row.status == "kept" else row.reason)
    return reasons


def mixed(good, hostile):
    """Returns all addresses, the good ones spread among the others."""
    step = len(hostile) // len(good)
    return [
        url
        for index, bad in enumerate(hostile)
        for url in (bad, *good[index // step : index // step + (index % step == 0)])
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_build_of_130_hostile_addresses_keeps_the_20_good_ones_beside_them(tmp_path):
    cases, listed, out = hostile_cases(), tmp_path / "list.jsonl", tmp_path / "out"
    hosts = ["127.0.0.1", *(host for _, host, _ in cases)]
    with serve(sample_video(), aliases=tuple(hosts[1:])) as site:
        good = [f"{site.url}/ok.mp4?good={number}" for number in range(GOOD)]
        asked = {
            f"{site.at(case, host)}{'&' if '?' in case.path else '?'}run={run}": case.expect
            for case, host, run in cases
        }
        hostile = {**asked, **NAMED}
        urls = mixed(good, list(hostile))
        assert (len(hostile), len(set(urls))) == (COUNT, COUNT + GOOD)
        listed.write_text("".join(json.dumps({"url": url, "title": "A cat runs home"}) + "\n" for url in urls))
        started = time.monotonic()
        code, output, highest = build(listed, out, [*hosts, "127.0.3.1"])
    megabytes = {kind: size // 10**6 for kind, size in highest.items()}
    print(f"\n{time.monotonic() - started:.0f} s; highest resident memory in MB: {megabytes}")
    assert code == 0, output[-3000:]
    reasons = outcomes(out, urls)
    assert {url: got for url, got in reasons.items() if len(got) != 1} == {}
    assert {url: got for url, got in reasons.items() if url in hostile and got[0] not in hostile[url]} == {}
    assert sorted(pd.read_parquet(out).url) == sorted(good)
    assert highest["limited_process"] > 0
    assert {kind: size for kind, size in highest.items() if size > MEMORY_MAX_BYTES} == {}
