"""Keyframes: stores a few frames of each clip and their times. All later views refer to these frames by index."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.media import limited, shots
from vidal.media.frames import read_frames
from vidal.media.hashing import Signature, phash
from vidal.media.settings import Limits
from vidal.pipeline.stage import Output, Runtime, Stage
from vidal.records import Clip, KeyframesRow
from vidal.schema import Kind, Subject
from vidal.stages import pictures
from vidal.storage.storage import Storage

if TYPE_CHECKING:
    from vidal.models.shots import ShotDetector


class FrameReader:
    """Reads frames of a video file. The recipe says which frames."""

    def __init__(self, recipe: Recipe):
        self._settings, self._clips, self._decoding = recipe.keyframes, recipe.clips, recipe.decoding
        self._detector: ShotDetector | None = None

    def __call__(self, path: Path, duration_s: float) -> tuple[list[float], list[Image.Image]]:
        """Reads frames of a file. Returns their times in seconds, and the frames, scaled as keyframes.short_side of the recipe says.

        duration_s: the duration of the file.
        """
        settings, limits = self._settings, self._decoding.limits(media_s=duration_s)
        firsts = self._firsts(path, limits)
        return limited.call(limits, read_frames, path, settings.count, settings.times, settings.short_side, firsts)

    def _firsts(self, path: Path, limits: Limits) -> list[int]:
        """Returns the indices of the frames at which new shots begin; empty unless the recipe selects frames by shot."""
        if self._settings.times != "scene":
            return []
        from vidal.models.shots import DETECTORS

        self._detector = self._detector or DETECTORS[self._clips.detector or "content"](self._clips.threshold)
        return self._detector.find_shot_starts(shots.read_thumbnails(path, limits)[1])


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings, self._storage, self._read = recipe.keyframes, storage, FrameReader(recipe)

    def __call__(self, clip: Clip) -> Output:
        if clip["kind"] == Kind.AUDIO.value:
            absent: KeyframesRow = {
                "clip_id": clip["clip_id"],
                "frame_times_s": [],
                "frame_paths": [],
                "frame_sha256": [],
                "phash": None,
                "signature": None,
            }
            return Output([absent])
        with self._storage.local(clip["media_path"]) as path:
            times_s, images = self._read(path, clip["duration_s"])
        settings = self._settings
        ending, options = settings.format, {} if settings.format == "png" else {"quality": settings.quality}
        stored = [pictures.encode(image, ending, **options) for image in images]
        shown: list[Image.Image] = [Image.open(io.BytesIO(data)) for data in stored]
        row: KeyframesRow = {
            "clip_id": clip["clip_id"],
            "frame_times_s": times_s,
            "frame_paths": pictures.save_files(self._storage, clip, "frames", ending, stored),
            "frame_sha256": [ids.sha256(data) for data in stored],
            # Computed from the stored pictures, so that anyone who has the files can check it.
            "phash": phash(shown),
            "signature": Signature.from_frames(shown).to_bytes(),
        }
        return Output([row])


def _settings(recipe: Recipe) -> Any:
    detector = [recipe.clips.detector, recipe.clips.threshold] if recipe.keyframes.times == "scene" else None
    return [recipe.keyframes.model_dump(mode="json"), detector]


STAGE = Stage(
    name="keyframes",
    version=1,
    subject=Subject.CLIP,
    reads=("crawl",),
    schema=schema.KEYFRAMES,
    open=_Worker,
    settings=_settings,
)
