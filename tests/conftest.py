"""Fixtures: a built shard, a file server on loopback, and the shared material where it is present."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
import pytest
from aiohttp import web

from vidal.config.loading import load_recipe
from vidal.models.threads import limit_threads
from vidal.pipeline.executors import Executor, executor_of
from vidal.sources.embedded.site import serve

ROOT = Path(__file__).parent.parent
SHARED = Path(os.environ.get("VIDAL_SHARED_DATA", ROOT.parent / "shared" / "data"))

# These files begin, with --no-loadscope-reorder: else one of two processes ends alone with one of them.
LONG = {"test_dataset_slow", "test_training_slow", "test_openai", "test_benchmarks", "test_embedded", "test_executors", "test_train_run",
        "test_measure", "test_ablation", "test_s3", "test_cluster_limits", "test_hostile"}  # fmt: skip


def pytest_configure() -> None:
    """One thread a test process: two run side by side, and torch's threads spin while they wait for each other."""
    limit_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What runs side by side: files, so that what the tests of one share is made once. Files that share more name their group."""
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(item.path.name))
    items.sort(key=lambda item: item.path.stem not in LONG)


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared material is not here: {SHARED}")
    return SHARED


def vidal(*arguments: str, timeout: float = 280) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    command = [sys.executable, "-m", "vidal.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT)


# One process for all stages of the embedded recipe: with a few clips, its start is most of the work.
FUSED = tuple(f"resources.{stage}={{fuse: true}}" for stage in ("keyframes", "similarity", "captions", "enhanced"))
# No view but what people wrote: what a test of something else needs of a build.
LIGHT = (*FUSED, "enhanced.model=null", "captions.keyframe=null", "captions.video=null", "captions.sound=null", "depth.model=null",
         "infrared.model=null", "audio.activity=null", "measure.nsfw=null")  # fmt: skip


def sets(*overrides: str) -> list[str]:
    """As options of the command."""
    return [argument for each in overrides for argument in ("--set", each)]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shard 0 of the embedded recipe, which no test may alter: it is built once a test run, by the process that needs it first.

    VIDAL_EMBEDDED: where this commit has built it before. The build then only checks that all of it is what it would make.
    """
    base = tmp_path_factory.getbasetemp()
    out = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "embedded" / "data"
    out.parent.mkdir(exist_ok=True)
    with (out.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (out.parent / "built").exists():
            if built := os.environ.get("VIDAL_EMBEDDED"):
                shutil.copytree(ROOT / built, out)
            done = vidal("build-shard", "0", "--recipe", "embedded", "--out", str(out))
            assert done.returncode == 0, done.stderr[-3000:]
            (out.parent / "built").touch()
    return out


@pytest.fixture(scope="session")
def on_ray() -> Iterator[Executor]:
    """The Ray that the tests share which show Ray itself: started once a test run, since they are one group."""
    executor = executor_of(load_recipe("embedded"))
    with executor.session():
        yield executor


@pytest.fixture
def serve_folder() -> Iterator[Callable[[Path], str]]:
    """Serves a folder over HTTP with Range; gives the base URL."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path) -> str:
            app = web.Application()
            app.router.add_static("/", folder)
            return stack.enter_context(serve(app))

        yield start


def write_video(path: Path, *, frames: int = 24, fps: int = 12, size: tuple[int, int] = (64, 48), gop: int = 6) -> Path:
    """A clip whose frame k is a gray of level 8 k: which frame was decoded can be read off its pixels."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "1", "g": str(gop), "bf": "2"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            picture = np.full((size[1], size[0], 3), (8 * index) % 256, np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path
