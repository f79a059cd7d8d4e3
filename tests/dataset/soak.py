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
import s3fs

from tests.conftest import ROOT, vidal
from tests.support.kills import COMMAND, TABLE, finish, kill_drivers, kill_workers, start
from tests.support.s3_server import environment, s3_server
from tests.support.shared_clips import build_all
from tests.support.two_nodes import two_nodes
from vidal.storage import layout
from vidal.storage.storage import Storage

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


def contents(out: object) -> dict[str, bytes]:
    """The bytes of the manifest and of every archive, on a disk or a store."""
    storage, folder = Storage(str(out)), layout.media_folder(0)
    archives = [f"{folder}/{name}" for name in storage.names(folder) if name.endswith(".tar")]
    return {name: storage.read(name) for name in (TABLE, *archives)}


@pytest.fixture
def bucket(tmp_path, monkeypatch):
    """The URI of an empty bucket of a real server, for this process and those that it starts."""
    with s3_server(tmp_path / "s3.log") as address:
        for name, value in environment(address).items():
            monkeypatch.setenv(name, value)
        s3fs.S3FileSystem.clear_instance_cache()
        s3fs.S3FileSystem(skip_instance_cache=True).mkdir("bucket")
        yield "s3://bucket"
    s3fs.S3FileSystem.clear_instance_cache()


@pytest.fixture(params=["files", "tar", "s3"])
def place(request, tmp_path, embedded, packed):
    """Where a shard is built, with which options, and the shard whose bytes it must have."""
    if request.param == "s3":
        return f"{request.getfixturevalue('bucket')}/data", TAR, packed
    return (str(tmp_path / "data"), TAR, packed) if request.param == "tar" else (str(tmp_path / "data"), (), embedded)


def test_killing_the_driver_again_and_again_changes_no_byte(place):
    out, options, reference = place
    killed = kill_drivers(out, KILLS, random.Random(1), options)
    print(f"\ndrivers killed: {killed}")
    assert killed >= min(3, KILLS)
    finish(out, options)
    assert contents(out) == contents(reference)


def test_killing_workers_again_and_again_changes_no_byte(place):
    """Five in each build, at random moments while they hold stages."""
    out, options, reference = place
    chance, killed = random.Random(2), 0
    for build in range(-(-KILLS // 5)):
        killed += kill_workers(start(f"{out}-{build}", options=options), min(5, KILLS), chance)
        assert contents(f"{out}-{build}") == contents(reference)
    print(f"\nworkers killed: {killed}")
    assert killed >= 0.8 * KILLS


def test_killing_one_of_two_nodes_changes_no_byte(place):
    """Nothing is asked of the node again: its workers start anew on the other, or on the node that replaces it."""
    out, options, reference = place
    chance, workers = random.Random(3), 0
    with two_nodes() as cluster:
        build = start(out, {**os.environ, "RAY_ADDRESS": cluster.address}, options)
        for _ in range(3):
            time.sleep(chance.uniform(15, 25))
            workers += cluster.kill_node() if build.poll() is None else 0
        assert build.wait(timeout=900) == 0
    print(f"\nworkers that died with their node: {workers}")
    assert workers >= 2
    assert contents(out) == contents(reference)


def test_all_shared_clips_end_in_the_manifest_or_in_the_ledger(shared, serve_folder, tmp_path):
    ended, built = build_all(shared, serve_folder(shared), ("videos", "videos_edge"), tmp_path)
    assert len(ended) == 47 and len(built) >= 20
    assert ended.reason.isin(["corrupt", "truncated"]).any()
