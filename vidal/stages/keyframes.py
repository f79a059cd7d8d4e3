"""Keyframes: the frames that every later view refers to by index, at stored times."""

from __future__ import annotations

import io

from PIL import Image

from vidal import ids, schema
from vidal.config import Recipe
from vidal.media.frames import read_frames
from vidal.media.hashing import phash
from vidal.schema import Kind, Subject
from vidal.stage import Output, Record, Runtime, Stage
from vidal.stages import pictures
from vidal.storage import Storage, media_name


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings, self._storage = recipe.keyframes, storage

    def __call__(self, clip: Record) -> Output:
        if clip["kind"] == Kind.AUDIO.value:
            row = {
                "clip_id": clip["clip_id"],
                "frame_times_s": [],
                "frame_paths": [],
                "frame_sha256": [],
                "phash": None,
            }
            return Output([row])
        with self._storage.local(clip["media_path"]) as path:
            times_s, images = read_frames(path, self._settings.count, self._settings.times, self._settings.short_side)
        names = [media_name(clip["shard"], clip["clip_id"], f"frames/{index}.jpg") for index in range(len(images))]
        stored = [
            pictures.save(self._storage, name, image, quality=self._settings.quality)
            for name, image in zip(names, images, strict=True)
        ]
        row = {
            "clip_id": clip["clip_id"],
            "frame_times_s": times_s,
            "frame_paths": names,
            "frame_sha256": [ids.sha256(data) for data in stored],
            # Of the stored pictures, so that whoever has the files can check it.
            "phash": phash([Image.open(io.BytesIO(data)) for data in stored]),
        }
        return Output([row])


STAGE = Stage(
    name="keyframes",
    subject=Subject.CLIP,
    reads=("crawl",),
    schema=schema.KEYFRAMES,
    open=_Worker,
    settings=lambda recipe: recipe.keyframes,
    module=__name__,
    code=("vidal.media.frames", "vidal.media.hashing", "vidal.stages.pictures"),
)
