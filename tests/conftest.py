"""Fixtures: a built shard, a file server on loopback, and the shared material where it is present."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
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

# The longest files run first (with --no-loadscope-reorder): otherwise one of two processes would end alone with one of them.
LONG = {"test_dataset_slow", "test_training_slow", "test_openai", "test_benchmarks", "test_embedded", "test_executors", "test_train_run",
        "test_measure", "test_ablation", "test_s3", "test_cluster_limits", "test_hostile", "test_media_cases"}  # fmt: skip


def pytest_configure() -> None:
    """Gives each test process one thread: two run side by side, and torch's threads spin while they wait for each other."""
    limit_threads(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Groups tests by file, so that what the tests of a file share is built once. A test may name another group itself."""
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
    """Runs the command as a user does, in a process of its own."""
    command = [sys.executable, "-m", "vidal.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT)


# One process for all stages of the embedded recipe: with a few clips, its start is most of the work.
FUSED = tuple(f"resources.{stage}={{fuse: true}}" for stage in ("keyframes", "similarity", "captions", "enhanced"))
# A build without any view but the texts that people wrote, for tests of something else. All clips are in the split train: where a test
# serves them, their addresses hold a random port, so that now and then one would be in another split.
LIGHT = (*FUSED, "enhanced.model=null", "captions.keyframe=null", "captions.video=null", "captions.sound=null", "depth.model=null",
         "infrared.model=null", "audio.activity=null", "measure.nsfw=null", "split={train: 1, val: 0, test: 0}")  # fmt: skip


def sets(*overrides: str) -> list[str]:
    """The overrides as options of the command."""
    return [argument for override in overrides for argument in ("--set", override)]


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shard 0 of the embedded recipe, which no test may alter. It is built once in a test run, by the process that needs it first.

    The environment variable VIDAL_EMBEDDED names a folder where this commit has built it before. The build then only checks that.
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
    """One Ray for all tests that are about Ray itself. They form one group, so that it is started once in a test run."""
    executor = executor_of(load_recipe("embedded"))
    with executor.session():
        yield executor


@pytest.fixture(scope="session")
def serve_folder() -> Iterator[Callable[[Path], str]]:
    """Returns a function that serves a folder over HTTP, with Range, and returns the base URL."""
    with contextlib.ExitStack() as stack:

        def start(folder: Path) -> str:
            app = web.Application()
            app.router.add_static("/", folder)
            return stack.enter_context(serve(app))

        yield start


def write_pictures(path: Path, grays: Sequence[np.ndarray], fps: int = 12, gop: int = 12) -> Path:
    """Writes a video of these pictures, (h, w) uint8, near lossless."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=fps, options={"crf": "1", "g": str(gop), "bf": "2", "sc_threshold": "0"}
        )
        stream.height, stream.width = grays[0].shape
        stream.pix_fmt = "yuv420p"
        for gray in grays:
            for packet in stream.encode(av.VideoFrame.from_ndarray(np.stack([gray] * 3, axis=2), format="rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    return path


def write_video(path: Path, *, frames: int = 24, fps: int = 12, size: tuple[int, int] = (64, 48), gop: int = 6) -> Path:
    """Writes a clip whose frame k is gray with level 8 k, so that the pixels of a decoded frame tell its number."""
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
