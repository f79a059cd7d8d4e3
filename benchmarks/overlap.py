"""How long a GPU waits for media: the share of the time in which the model of a stage computes, by the parts that its worker works on.

    python -m benchmarks.overlap [--picture-ms 12]

Frames are real photographs, which are read, measured and written as depth by the stage itself, in one worker process. The model is a
stand-in for one on a GPU: it sleeps for so long per picture, which leaves the CPU to the other threads as a GPU does, and returns the
blurred picture. It shows what the threads overlap, and nothing about a network.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image, ImageFilter

from tests.support import clips
from tests.support.photographs import PHOTOGRAPHS
from vidal.config.base import ModelSpec
from vidal.config.loading import load_recipe
from vidal.models.availability import PackagedWeights
from vidal.models.protocols import Images
from vidal.models.registry import DEPTH, Adapter
from vidal.models.threads import limit_threads
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime
from vidal.stages.order import STAGES

PARTS, CLIPS, FRAMES, SIZE = 16, 4, 8, (455, 256)


class Sleeping:
    """A DepthEstimator. options: picture_ms."""

    kind, unit, name = "relative", "", "sleeping"
    computed_s = 0.0

    def __init__(self, spec: ModelSpec):
        self._picture_s = float(spec.options["picture_ms"]) / 1000

    def estimate(self, images: Images) -> list[np.ndarray]:
        time.sleep(self._picture_s * len(images))
        Sleeping.computed_s += self._picture_s * len(images)
        return [np.asarray(image.convert("L").filter(ImageFilter.GaussianBlur(4)), np.float32) for image in images]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture-ms", type=float, default=12.0)
    options = parser.parse_args()
    limit_threads(1)
    DEPTH["sleeping"] = Adapter(f"{Sleeping.__module__}:Sleeping", version=1, weights=PackagedWeights())
    frames = _frames()
    for parts_at_once in (1, 2, 4, 1, 2, 4):
        with tempfile.TemporaryDirectory() as out:
            _seed(out, frames)
            wall_s, computed_s = _run(out, parts_at_once, options.picture_ms)
        print(
            f"parts_at_once {parts_at_once}: {wall_s:.1f} s, the model computes {computed_s / wall_s:.0%} of it",
            flush=True,
        )


def _frames() -> list[np.ndarray]:
    names = ("coffee.png", "chelsea.png", "astronaut.png", "rocket.jpg")
    photographs = [Image.open(PHOTOGRAPHS / name).convert("RGB") for name in names if (PHOTOGRAPHS / name).exists()]
    return [np.asarray(each.resize(SIZE)) for each in photographs]


def _seed(out: str, frames: list[np.ndarray]) -> None:
    for part in range(PARTS):
        rows = []
        for clip in range(CLIPS):
            moved = [np.roll(frames[clip % len(frames)], 3 * index + part, axis=1) for index in range(FRAMES)]
            rows.append(clips.with_frames(out, f"clip-{part}-{clip}", moved))
        clips.seed_frames(out, rows, part)


def _run(out: str, parts_at_once: int, picture_ms: float) -> tuple[float, float]:
    """Returns the seconds of the stage, and those in which its model computed."""
    model = f"depth.model={{adapter: sleeping, options: {{picture_ms: {picture_ms}}}}}"
    recipe = load_recipe("embedded", (model, f"resources.depth={{gpus: 1, parts_at_once: {parts_at_once}}}"))
    Sleeping.computed_s = 0.0
    with (
        PartRunner(STAGES["depth"], recipe, Runtime(out, "run", warm=frozenset({"depth"}))) as runner,
        ThreadPoolExecutor(parts_at_once) as threads,
    ):
        runner.warm()
        started = time.monotonic()
        list(threads.map(lambda index: runner.run(Part(0, index)), range(PARTS)))
    return time.monotonic() - started, Sleeping.computed_s


if __name__ == "__main__":
    # As the module that the adapter's path names, not as __main__.
    from benchmarks import overlap

    overlap.main()
