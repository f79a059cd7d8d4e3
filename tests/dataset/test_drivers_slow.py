"""Several drivers on one dataset: each shard has its summary, the totals are right, and nothing that one committed is lost."""

import json
import os
import subprocess
import sys

import pandas as pd
import pytest

from tests.conftest import LIGHT, ROOT, sets, write_video
from tests.support.inline import vidal_inline

SHARDS = 40
# `make soak` does ten.
ROUNDS = int(os.environ.get("DRIVERS_ROUNDS", 1))
OPTIONS = sets(*LIGHT, "engine.executor=inline", "filters.similarity_min=null", "shard_candidates=2", "crawl.requests_per_s=500",
               "crawl.host_concurrency=16", "duplicates.near=false", "storage.media=tar")  # fmt: skip


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory, serve_folder):
    """A list of forty shards of two: a clip of its own, and an address that is refused."""
    folder = tmp_path_factory.mktemp("drivers")
    site = folder / "site"
    site.mkdir()
    for number in range(SHARDS):
        write_video(site / f"{number}.mp4", frames=24 + number)
    base = serve_folder(site)
    rows = "".join(f"{base}/{number}.mp4,A gray wall {number}\nfile:///{number},refused\n" for number in range(SHARDS))
    (folder / "clips.csv").write_text("url,title\n" + rows)
    return folder / "clips.csv"


@pytest.mark.slow
@pytest.mark.parametrize("number", range(ROUNDS))
def test_two_drivers_with_common_shards_leave_forty_summaries_and_right_totals(catalogue, tmp_path, number):
    out = tmp_path / "out"

    def start(shards):
        command = [sys.executable, "-m", "vidal.cli", "build-shard", shards, "--recipe", "catalogue", "--catalogue", str(catalogue),
                   "--allow-host", "127.0.0.1", "--out", str(out), *OPTIONS]  # fmt: skip
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    drivers = [start("0-24"), start("15-39")]
    for driver in drivers:
        _, errors = driver.communicate(timeout=280)
        assert driver.returncode == 0, errors[-3000:]
    summaries = [json.loads(path.read_text()) for path in sorted((out / "_shards").glob("*.json"))]
    assert [summary["shard"] for summary in summaries] == list(range(SHARDS))
    assert sum(summary["rows"].get("video", 0) for summary in summaries) == len(pd.read_parquet(out)) == SHARDS
    assert vidal_inline("validate", str(out)).returncode == 0
    ledger = pd.read_parquet(out / "_ledger")
    assert (ledger[ledger.subject == "candidate"].groupby("reason").size() == SHARDS).all()
