"""Captions a second of the embedded recipe, and the share of it that is the models' own time: `python -m benchmarks.captions`."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from typing import Any

from benchmarks.pipeline import clips
from vidal import ids
from vidal.config.loading import load_recipe
from vidal.media.frames import read_frames
from vidal.pipeline.stage import Record, Runtime
from vidal.schema import Status
from vidal.stages import pictures
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage


class Clock:
    """Seconds spent inside the methods that it wraps."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def wrap(self, owner: Any, *names: str) -> None:
        for name in names:
            setattr(owner, name, self._timed(getattr(owner, name)))

    def _timed(self, method: Callable[..., Any]) -> Callable[..., Any]:
        def timed(*arguments: Any) -> Any:
            started = time.perf_counter()
            try:
                return method(*arguments)
            finally:
                self.seconds += time.perf_counter() - started

        return timed


def stored(storage: Storage, count: int) -> list[Record]:
    """Clips with their frames in storage, as the stages before leave them."""
    found = []
    for path in clips()[:count]:
        images = read_frames(path, 8, "linspace", 256)[1]
        names = [layout.media(0, path.stem, f"frames/{index}.jpg") for index in range(len(images))]
        data = [pictures.save(storage, name, image, quality=92) for name, image in zip(names, images, strict=True)]
        title = path.stem.replace("_", " ").replace("-", " ")
        found.append({"clip_id": path.stem, "title": title, "hashtags": [], "extra": [], "embedding": [], "frame_paths": names,
                      "frame_sha256": [ids.sha256(each) for each in data]})  # fmt: skip
    return found


def main() -> None:
    recipe = load_recipe("embedded")
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        given = stored(storage, 16)
        runtime = Runtime(out=folder, run_id="bench")
        captions: Any = STAGES["captions"].open(recipe, runtime, storage)
        enhanced: Any = STAGES["enhanced"].open(recipe, runtime, storage)
        clock, texts = Clock(), 0
        clock.wrap(captions._keyframe, "frames", "video")
        clock.wrap(enhanced._rewriter, "rewrite")
        started = time.perf_counter()
        for clip in given:
            made = captions(clip)
            rewritten = enhanced({**clip, "captions": made.rows[0]["captions"]})
            texts += sum(bool(each["prompt_sha256"]) for each in made.rows[0]["captions"])
            texts += sum(view.status is Status.KEPT for view in rewritten.views)
        seconds = time.perf_counter() - started
    print(f"| captions of the embedded recipe, {len(given)} clips | {texts / seconds:.2f} a second | models' own share "
          f"{clock.seconds / seconds:.3f} |")  # fmt: skip


if __name__ == "__main__":
    main()
