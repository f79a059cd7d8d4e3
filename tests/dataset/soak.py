"""Hours: what fails one time in ten shows when it is done by tens. `make soak` runs these tests, nothing else does.

SOAK_BUILDS, SOAK_VALIDATIONS, SOAK_RERUNS and SOAK_KILLS: how often, for a shorter trial.
"""

import contextlib
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, vidal
from tests.support.kills import COMMAND, TABLE, finish, kill_drivers, kill_workers
from tests.support.shared_clips import build_all

BUILDS, VALIDATIONS, RERUNS, KILLS = (
    int(os.environ.get(f"SOAK_{name}", often))
    for name, often in (("BUILDS", 10), ("VALIDATIONS", 40), ("RERUNS", 10), ("KILLS", 10))
)
BUSY_BUILDS, BUSY_MAX_S = 2, 360
PAGES = Path("/proc/sys/vm/drop_caches")
pytestmark = pytest.mark.timeout(4 * 3600)


def drop_pages() -> str:
    """Drops the kernel's cache of files where this machine allows it, and says whether it did."""
    os.sync()
    try:
        PAGES.write_text("3")
    except OSError as error:
        return f"page cache not dropped ({error.strerror})"
    return "page cache dropped"


@contextlib.contextmanager
def busy(processes):
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def test_cold_builds_in_a_row_all_give_the_same_bytes(tmp_path):
    """The last two beside two busy processes."""
    tables = []
    for number in range(BUILDS):
        others = 2 if number >= BUILDS - BUSY_BUILDS else 0
        out, environment = (
            tmp_path / f"data-{number}",
            {**os.environ, "XDG_CACHE_HOME": str(tmp_path / f"cache-{number}")},
        )
        pages = drop_pages()
        with busy(others):
            started = time.monotonic()
            done = subprocess.run([*COMMAND, str(out)], env=environment, cwd=ROOT, capture_output=True, text=True)
            seconds = time.monotonic() - started
        print(
            f"\nbuild {number + 1} of {BUILDS}: exit {done.returncode}, {seconds:.0f} s, {pages}, busy beside: {others}"
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert not others or seconds < BUSY_MAX_S
        tables.append((out / TABLE).read_bytes())
    assert tables == tables[:1] * BUILDS


@pytest.mark.parametrize(("command", "times"), [("validate", VALIDATIONS), ("build-shard", RERUNS)])
def test_commands_on_a_finished_shard_always_end_well(embedded, command, times):
    arguments = ("validate", str(embedded)) if command == "validate" else ("build-shard", "0", "--out", str(embedded))
    codes = [vidal(*arguments).returncode for _ in range(times)]
    print(f"\n{command}: {times} runs, exit codes {sorted(set(codes))}")
    assert codes == [0] * times


TAR = ("--set", "storage.media=tar")


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """The embedded shard with its media in archives."""
    out = tmp_path_factory.mktemp("packed") / "data"
    finish(out, TAR)
    return out


def contents(out):
    """The bytes of the manifest and of every archive."""
    return {
        str(path.relative_to(out)): path.read_bytes() for path in (out / TABLE, *sorted(out.glob("_media/*/*.tar")))
    }


@pytest.mark.parametrize("options", [(), TAR], ids=["files", "tar"])
def test_killing_the_driver_again_and_again_changes_no_byte(embedded, packed, tmp_path, options):
    killed = kill_drivers(tmp_path / "data", KILLS, random.Random(1), options)
    print(f"\ndrivers killed: {killed}")
    assert killed >= min(3, KILLS)
    finish(tmp_path / "data", options)
    assert contents(tmp_path / "data") == contents(packed if options else embedded)


@pytest.mark.parametrize("options", [(), TAR], ids=["files", "tar"])
def test_killing_workers_again_and_again_changes_no_byte(embedded, packed, tmp_path, options):
    """Five in each build, at random moments while they hold stages."""
    chance, killed = random.Random(2), 0
    for build in range(-(-KILLS // 5)):
        out = tmp_path / f"data-{build}"
        killed += kill_workers(out, min(5, KILLS), chance, options)
        assert contents(out) == contents(packed if options else embedded)
    print(f"\nworkers killed: {killed}")
    assert killed >= 0.8 * KILLS


def test_all_shared_clips_end_in_the_manifest_or_in_the_ledger(shared, serve_folder, tmp_path):
    ended, built = build_all(shared, serve_folder(shared), ("videos", "videos_edge"), tmp_path)
    assert len(ended) == 47 and len(built) >= 20
    assert ended.reason.isin(["corrupt", "truncated"]).any()
