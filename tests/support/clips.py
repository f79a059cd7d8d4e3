"""Clips as the crawl leaves them, without a crawl: real files, and the tables that the stages of views read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.pipeline.parts import commit_part
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Record, Runtime
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage


def seed(out: str, rows: list[Record], index: int = 0) -> None:
    """One part of crawled clips."""
    commit_part(Storage(out), layout.part("crawl", 0, index), rows, [], schema.CRAWL, {})


def crawled(clip_id: str, **more: object) -> Record:
    return {
        "clip_id": clip_id,
        "candidate_id": f"candidate of {clip_id}",
        "kind": "video",
        "shard": 0,
        "title": "A test",
        "hashtags": ["test"],
        "search_terms": [],
        "text": "A test #test",
        "width": 64,
        "height": 48,
        "fps": 12.0,
        "duration_s": 2.0,
        "has_audio": False,
        "extra": [],
        **more,
    }


def with_frames(out: str, clip_id: str, frames: list[np.ndarray]) -> Record:
    """A clip with (h, w, 3) uint8 frames in storage, as a stage of views gets it."""
    storage = Storage(out)
    names = [layout.media(0, clip_id, f"frames/{index}.png") for index in range(len(frames))]
    for name, frame in zip(names, frames, strict=True):
        path = Path(storage.path(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(frame).save(path)
    return {**crawled(clip_id), "frame_paths": names}


def seed_frames(out: str, clips: list[Record], index: int = 0) -> None:
    """The tables of a part that depth and infrared read, of clips that with_frames made."""
    storage = Storage(out)
    seed(out, [{key: clip[key] for key in clip if key in schema.CRAWL.names} for clip in clips], index)
    keyframes = [{"clip_id": clip["clip_id"], "frame_paths": clip["frame_paths"]} for clip in clips]
    commit_part(storage, layout.part("keyframes", 0, index), keyframes, [], schema.KEYFRAMES, {})
    passed = [{"clip_id": clip["clip_id"]} for clip in clips]
    commit_part(storage, layout.part("filter", 0, index), passed, [], schema.FILTERED, {})


def run(out: str, recipe: Recipe, *names: str) -> None:
    """Stages over the part, in this process."""
    for name in names:
        PartRunner(STAGES[name], recipe, Runtime(out, "run")).run(Part(0, 0))


def rows(out: str, stage: str) -> list[Record]:
    return Storage(out).read_table(layout.part_table(stage, 0, 0)).to_pylist()


def outcomes(out: str, stage: str) -> list[Record]:
    return Storage(out).read_table(layout.part_ledger(stage, 0, 0)).to_pylist()


def sha256(out: str, name: str) -> str:
    return ids.sha256(Storage(out).read(name))
