"""Measure: statistics of every clip, for the filter and for people to look at. It drops nothing.

If measures that are computed together fail, all other measures are still computed. The column `measured` then has the reason under the
name of each measure that failed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.errors import ModelError, RecordError
from vidal.media import limited
from vidal.media.settings import Decoding
from vidal.models.protocols import LanguageDetector, Rater, TextDetector
from vidal.models.registry import AESTHETIC, LANGUAGES, NSFW, TEXT_DETECTORS, Registry, open_model
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage, overlapping
from vidal.records import Clip, MeasuredRow
from vidal.schema import Kind, Subject
from vidal.scores import round_score
from vidal.stages import pictures
from vidal.stages.measure.settings import FrameModel, Language
from vidal.storage.storage import Storage

Images = list[Image.Image]
LANGUAGE = "language_confidence"


@dataclass(frozen=True)
class Group:
    """Measures that are computed together from a clip and its frames. model: name and version, if a model computes them."""

    names: tuple[str, ...]
    compute: Callable[[Clip, Images], dict[str, float]]
    model: str = ""


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._storage = storage
        self._groups = groups(recipe, storage)
        self._language = _LanguageOf(recipe.measure.language) if recipe.measure.language else None

    def __call__(self, clip: Clip) -> Output:
        measures, measured = probed_measures(clip), dict[str, str]()
        frames = pictures.load(self._storage, clip["frame_paths"])
        for group in self._groups:
            values, problem = compute(group, clip, frames)
            measures |= values
            measured |= {name: group.model if name in values else problem for name in group.names}
        language = clip["language"]
        if language is None and self._language:
            language, confidence, measured[LANGUAGE] = self._language(clip["text"] or "")
            measures |= {} if confidence is None else {LANGUAGE: confidence}
        row: MeasuredRow = {
            "clip_id": clip["clip_id"],
            "language": language,
            "measures": sorted((name, round_score(float(value))) for name, value in measures.items()),
            "measured": sorted((name, how) for name, how in measured.items() if how),
        }
        return Output([row])


def probed_measures(clip: Clip) -> dict[str, float]:
    """Returns the measures that the crawl has read from the file."""
    measures: dict[str, float] = {"duration_s": clip["duration_s"]}
    fps, width, height = clip["fps"], clip["width"], clip["height"]
    if clip["kind"] == Kind.VIDEO.value and fps is not None and width and height:
        measures |= {"fps": fps, "short_side_px": min(width, height), "aspect_ratio": width / height}
    return measures


def compute(group: Group, clip: Clip, frames: Images) -> tuple[dict[str, float], str]:
    """Computes the measures of a group. Returns (those that are finite, by name; the reason why any others are missing).

    If no measure is missing, the reason means nothing.
    """
    if not frames:
        return {}, "absent: no frames"
    try:
        values = group.compute(clip, frames)
    except (RecordError, ModelError) as error:
        return {}, f"failed: {error}"
    return {name: value for name, value in values.items() if np.isfinite(value)}, "absent: too few pictures"


class _LanguageOf:
    """Detects the language of a title and its hashtags, and returns it if the detector is confident enough."""

    def __init__(self, settings: Language):
        self._min = settings.confidence_min
        self._detector: LanguageDetector = open_model(LANGUAGES, settings.model)

    def __call__(self, text: str) -> tuple[str | None, float | None, str]:
        """Returns (ISO 639-1 code, confidence, name of the detector). If the confidence is too low, the code is None.

        If the text has no words, returns (None, None, "absent: no words").

        text: the title and the hashtags of a clip, without hashtags of the platform itself, such as "shorts". Pages in all languages have
        these English words.
        """
        code, confidence = self._detector.detect(text)
        if code is None:
            return None, None, "absent: no words"
        return (code if confidence >= self._min else None), confidence, self._detector.name


def groups(recipe: Recipe, storage: Storage) -> list[Group]:
    """Returns the groups of measures that the recipe asks for, with their models opened."""
    settings = recipe.measure
    selected = []
    if settings.pictures:
        selected.append(_pictures())
    if settings.blur:
        selected.append(_blur())
    if settings.motion:
        selected.append(_motion(storage, settings.motion_pairs, recipe.decoding))
    if settings.text:
        selected.append(_text(settings.text))
    if settings.nsfw:
        selected.append(_rated("nsfw", settings.nsfw, NSFW, np.max))
    if settings.aesthetic:
        selected.append(_rated("aesthetic", settings.aesthetic, AESTHETIC, np.mean))
    return selected


# OpenCV takes a third of a second to import, so only the worker imports it, not a process that lists the stages.
def _pictures() -> Group:
    from vidal.media.statistics import picture

    names = ("brightness", "contrast", "saturation", "black_share", "frozen_share")
    return Group(names, lambda clip, frames: picture.statistics([np.asarray(frame) for frame in frames]))


def _blur() -> Group:
    from vidal.media.statistics import picture

    def compute(clip: Clip, frames: Images) -> dict[str, float]:
        return {"sharpness": float(np.median([picture.sharpness(np.asarray(frame)) for frame in frames]))}

    return Group(("sharpness",), compute)


def _motion(storage: Storage, count: int, decoding: Decoding) -> Group:
    from vidal.media.frame_pairs import read_frame_pairs
    from vidal.media.statistics import motion

    def compute(clip: Clip, frames: Images) -> dict[str, float]:
        with storage.local(clip["media_path"]) as path:
            pairs = limited.call(decoding.limits(media_s=clip["duration_s"]), read_frame_pairs, path, count)
        return {"motion_per_s": motion.motion_per_s(pairs)} if pairs else {}

    return Group(("motion_per_s",), compute)


def _text(settings: FrameModel) -> Group:
    from vidal.media.statistics import coverage

    detector: TextDetector = open_model(TEXT_DETECTORS, settings.model)

    def compute(clip: Clip, frames: Images) -> dict[str, float]:
        selected = select_frames(frames, settings)
        shares = [coverage.covered_share(detector.detect_boxes(frame), frame.width, frame.height) for frame in selected]
        return {"text_share": float(np.mean(shares))}

    return Group(("text_share",), compute, detector.name)


def _rated(name: str, settings: FrameModel, registry: Registry, statistic: Callable[[Any], Any]) -> Group:
    rater: Rater = open_model(registry, settings.model)
    return Group(
        (name,), lambda clip, frames: {name: float(statistic(rater.rate(select_frames(frames, settings))))}, rater.name
    )


def select_frames(frames: Images, settings: FrameModel) -> Images:
    """Returns the frames that a model gets: at most settings.frames, evenly spread over the clip; all frames if that is None."""
    total, count = len(frames), min(settings.frames or len(frames), len(frames))
    return [frames[int(total * (2 * i + 1) / (2 * count))] for i in range(count)]


def _models(recipe: Recipe) -> list[ModelUse]:
    settings = recipe.measure
    return [
        ModelUse("text", TEXT_DETECTORS, settings.text.model if settings.text else None),
        ModelUse("nsfw", NSFW, settings.nsfw.model if settings.nsfw else None),
        ModelUse("aesthetic", AESTHETIC, settings.aesthetic.model if settings.aesthetic else None),
        ModelUse("language", LANGUAGES, settings.language.model if settings.language else None),
    ]


STAGE = Stage(
    name="measure",
    version=1,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl"),
    schema=schema.MEASURED,
    open=_Worker,
    settings=lambda recipe: recipe.measure,
    models=_models,
    parts_at_once=overlapping("measure"),
)
