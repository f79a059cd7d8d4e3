"""A stage with a model works on several parts: the model computes for one, while the frames of the others are read and written."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from tests.support import clips
from vidal.config.loading import load_recipe
from vidal.models.availability import PackagedWeights
from vidal.models.registry import DEPTH, Adapter
from vidal.pipeline.parts import outcomes_of
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime
from vidal.stages import pictures
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage

PARTS = 3


@dataclass
class Watch:
    """The threads that have read frames, and whether all of them had when the model computed."""

    patience_s: float
    readers: set[int] = field(default_factory=set)
    has_read: threading.Condition = field(default_factory=threading.Condition)
    had_all_read: list[bool] = field(default_factory=list)
    computing: threading.Lock = field(default_factory=threading.Lock)


class Patient:
    """A depth estimator that waits until threads of all parts have read frames."""

    kind, unit, name = "relative", "", "patient"
    watch: Watch

    def __init__(self, spec):
        pass

    def estimate(self, images):
        watch = self.watch
        assert watch.computing.acquire(blocking=False), "two threads compute at once"
        with contextlib.closing(Releasing(watch.computing)), watch.has_read:
            watch.had_all_read.append(watch.has_read.wait_for(lambda: len(watch.readers) == PARTS, watch.patience_s))
        return [np.asarray(image.convert("F")) for image in images]


@dataclass
class Releasing:
    lock: threading.Lock

    def close(self):
        self.lock.release()


def build(out, monkeypatch, parts_at_once, patience_s):
    """Returns what the model saw, and the rows of the parts."""
    watch, load = Watch(patience_s), pictures.load

    def load_watched(storage, names):
        images = load(storage, names)
        with watch.has_read:
            watch.readers.add(threading.get_ident())
            watch.has_read.notify_all()
        return images

    seed(out)
    recipe = load_recipe(
        "embedded", ("depth.model={adapter: patient}", f"resources.depth={{gpus: 1, parts_at_once: {parts_at_once}}}")
    )
    with monkeypatch.context() as patched:
        patched.setattr(pictures, "load", load_watched)
        patched.setattr(Patient, "watch", watch, raising=False)
        patched.setitem(DEPTH, "patient", Adapter(f"{__name__}:Patient", version=1, weights=PackagedWeights()))
        with (
            PartRunner(STAGES["depth"], recipe, Runtime(out, "run")) as runner,
            ThreadPoolExecutor(parts_at_once) as threads,
        ):
            list(threads.map(lambda index: runner.run(Part(0, index)), range(PARTS)))
        ends = outcomes_of(Storage(out), [STAGES["depth"]], 0, range(PARTS))
    assert {(row["status"], row["reason"]) for row in ends} == {("kept", "ok")} and len(ends) == 2 * PARTS, ends
    tables = [layout.part_table("depth", 0, index) for index in range(PARTS)]
    return watch, [row for name in tables for row in Storage(out).read_table(name).to_pylist()]


def seed(out):
    rng = np.random.default_rng(0)
    for part in range(PARTS):
        frames = {f"clip{part}{i}": list(rng.integers(0, 255, (2, 48, 64, 3), np.uint8)) for i in range(2)}
        clips.seed_frames(out, [clips.with_frames(out, name, each) for name, each in frames.items()], part)


def test_frames_of_other_parts_are_read_while_the_model_computes_and_the_rows_are_the_same(tmp_path, monkeypatch):
    watch, overlapping = build(str(tmp_path / "overlapping"), monkeypatch, PARTS, patience_s=60)
    assert all(watch.had_all_read) and len(watch.had_all_read) == 2 * PARTS
    watch, in_turn = build(str(tmp_path / "in_turn"), monkeypatch, 1, patience_s=0.1)
    assert not any(watch.had_all_read) and len(watch.readers) == 1
    assert overlapping == in_turn and all(row["depth_sha256"] for row in in_turn)
