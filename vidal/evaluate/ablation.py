"""Measures whether a shard, a filter or a view (kind of caption) improves a dataset: a small encoder is trained with and without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa

from vidal import ids
from vidal.errors import UserError
from vidal.evaluate import probe
from vidal.evaluate.embedding import Progress
from vidal.storage import layout
from vidal.storage.storage import Storage
from vidal.train.opening import open_text_tower
from vidal.train.settings import Modality, Train
from vidal.train.training_samples import TrainingSamples, committed_shards, read_samples

EPOCHS, HELD_OUT = 20, 0.2
HELD_OUT_MIN = 5
FILTER_COLUMNS = ["clip_id", "kind", "similarity", "language", "title", "scores"]


@dataclass(frozen=True)
class Change:
    """The change whose effect is measured: a shard, a view, or a filter. Exactly one of the three is set.

    Two encoders, called arms, are compared: the arm "with" is trained with the change, the arm "without" is trained without it.
    passes: the filter, which takes a row of the manifest with the columns FILTER_COLUMNS, and returns whether to keep the row.
    """

    shard: int | None = None
    view: str | None = None
    passes: Callable[[dict[str, object]], bool] | None = None


@dataclass(frozen=True)
class Difference:
    """A metric of two encoders: one trained with a shard, filter or view, and one trained without it.

    Both are trained once with each seed. with_it, without_it: the mean over the seeds. change: with_it - without_it. spread: the
    standard deviation of this difference over the seeds; NaN for a single seed.
    """

    with_it: float
    without_it: float
    change: float
    spread: float


@dataclass(frozen=True)
class Verdict:
    """Compares two encoders: one was trained with a shard, filter or view, the other without it.

    clips_with, clips_without: the numbers of clips that the two were trained on. held_out: the number of other clips that both were
    evaluated on. steps: the number of training steps of each encoder. seeds: how often both were trained. metrics: how much the two
    encoders differ in each metric, by its name, such as "R@1".
    """

    clips_with: int
    clips_without: int
    held_out: int
    steps: int
    seeds: int
    metrics: dict[str, Difference]


def compare(storage: Storage, settings: Train, change: Change, seeds: int, progress: Progress) -> Verdict:
    """Trains an encoder with the change and one without it, for the same number of steps, and compares them.

    seeds: how often both are trained. If the change is a view, both encoders are evaluated without the texts of this view.

    Raises UserError in these cases:
    - There are too few clips to train on, or too few to evaluate on.
    - The change is a shard, and no clip of this shard can be trained on.
    - The change is a shard or a filter, and both encoders would be trained on the same clips.
    - The change is a view, and the recipe does not use this view, or uses no other view.
    """
    samples = read_samples(storage, Modality.IMAGE, settings)
    views = (settings.views, _without_view(settings, change.view))
    with_it, without_it = (np.array([each.get(view, 0.0) for view in samples.captions.names]) for each in views)
    sides = _arms(storage, samples, change)
    sides = sides[0] & _spoken(samples, with_it), sides[1] & _spoken(samples, without_it)
    _split(samples, sides, np.ones(len(samples), bool), change)  # Wrong input is reported before anything is computed.
    text = open_text_tower(settings.text)
    clips = probe.embed_clips(storage, samples, text.width, progress)
    texts = probe.text_features(storage, text, samples)
    arms, held = _split(samples, sides, clips.readable, change)
    steps = max(1, EPOCHS * max(map(len, arms.values())) // probe.BATCH)
    weights = {"with": with_it, "without": without_it}
    results: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    for seed in progress(range(seeds), "seeds"):
        for name, rows in arms.items():
            layer = probe.fit(clips, samples, texts, rows, weights[name], steps, seed)
            results[name].append(probe.judge(layer, clips, samples.captions, texts, held, weights["without"] > 0))
    metrics = {metric: difference(results, metric) for metric in results["with"][0]}
    return Verdict(len(arms["with"]), len(arms["without"]), len(held), steps, seeds, metrics)


def _split(
    samples: TrainingSamples, sides: tuple[np.ndarray, np.ndarray], readable: np.ndarray, change: Change
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Returns the clips to train each encoder on, under the keys "with" and "without", and the clips to evaluate both on.

    Clips are given as indices into samples. sides: masks of the clips that the two encoders may use. readable: a mask of the clips whose
    media can be read. Raises UserError if there are too few clips, or if a shard or filter does not change which clips are used.
    """
    held = readable & sides[0] & sides[1] & held_out(samples)
    masks = zip(("with", "without"), sides, strict=True)
    arms = {name: np.flatnonzero(readable & side & ~held) for name, side in masks}
    _require(arms, int(held.sum()), change)
    return arms, np.flatnonzero(held)


def difference(results: dict[str, list[dict[str, float]]], metric: str) -> Difference:
    """Returns the difference between two arms in a metric. results: the metrics of each seed, under the keys "with" and "without"."""
    with_it, without_it = (np.array([each[metric] for each in results[name]]) for name in ("with", "without"))
    changes = with_it - without_it
    spread = float(changes.std(ddof=1)) if len(changes) > 1 else float("nan")
    return Difference(float(with_it.mean()), float(without_it.mean()), float(changes.mean()), spread)


def _arms(storage: Storage, samples: TrainingSamples, change: Change) -> tuple[np.ndarray, np.ndarray]:
    """Returns two masks of the clips: those that may be used with the change, and those that may be used without it."""
    every = np.ones(len(samples), bool)
    if change.shard is not None:
        if change.shard not in samples.shards:
            raise UserError(
                f"no clip of shard {change.shard} can be trained on: choose a shard from {sorted(set(samples.shards.tolist()))}"
            )
        return every, samples.shards != change.shard
    if change.passes is not None:
        passing = _passing(storage, change.passes)
        return np.array([clip_id in passing for clip_id in samples.clip_ids]), every
    return every, every


def _passing(storage: Storage, passes: Callable[[dict[str, object]], bool]) -> set[str]:
    names = [layout.manifest(shard) for shard in committed_shards(storage)]
    rows = pa.concat_tables([storage.read_table(name, FILTER_COLUMNS) for name in names]).to_pylist()
    return {row["clip_id"] for row in rows if passes(row)}


def held_out(samples: TrainingSamples) -> np.ndarray:
    """Returns a mask of the clips to hold out. A hash of the clip id decides, so every comparison holds out the same clips."""
    return np.array([int(ids.sha256(clip_id.encode())[:8], 16) < HELD_OUT * 2**32 for clip_id in samples.clip_ids])


def _without_view(settings: Train, view: str | None) -> dict[str, float]:
    if view is not None and not settings.views.get(view):
        raise UserError(f"--view: the recipe uses no texts of {view!r}, only of {', '.join(settings.views)}")
    views = {name: weight for name, weight in settings.views.items() if name != view}
    if not views:
        raise UserError(
            f"--view: {view} is the only view under train.views: add another to compare with, by --set train.views.NAME=1"
        )
    return views


def _spoken(samples: TrainingSamples, weights: np.ndarray) -> np.ndarray:
    """Returns a mask of the clips that have a text to train on. Texts of a view with weight 0 do not count.

    weights: (views,), the weights of the views, in the order of samples.captions.names.
    """
    captions = samples.captions
    spans = (captions.views[first:last] for first, last in pairwise(captions.starts))
    return np.array([bool((weights[span] > 0).any()) for span in spans], bool)


def _require(arms: dict[str, np.ndarray], held_out: int, change: Change) -> None:
    if held_out < HELD_OUT_MIN:
        raise UserError(
            f"only {held_out} clips are held out (about {HELD_OUT:.0%} of the clips that both encoders may use), "
            f"but {HELD_OUT_MIN} are needed: build more shards"
        )
    for name, rows in arms.items():
        if len(rows) < 2:
            raise UserError(
                f"each encoder needs 2 clips to train on, but the encoder {name!r} has only {len(rows)}: build more shards"
            )
    if change.view is None and len(arms["with"]) == len(arms["without"]):
        raise UserError(
            "both encoders would be trained on the same clips, so there is nothing to compare: choose another filter or shard"
        )
