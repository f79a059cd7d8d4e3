"""Compares two datasets: trains a small encoder on each, and measures which encoder is better.

Both encoders are trained on the same number of clips, drawn anew for each seed. They are evaluated on clips that neither was trained
on: equally many held-out clips of each dataset, or the clips of a third dataset.

LanguageBind's paper compares VIDAL with HowTo100M in this way, with CLIP4Clip as the encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from vidal.errors import UserError
from vidal.evaluate import probe
from vidal.evaluate.ablation import EPOCHS, HELD_OUT_MIN, Difference, difference, held_out
from vidal.evaluate.embedding import Progress
from vidal.storage.storage import Storage
from vidal.train.opening import open_text_tower
from vidal.train.settings import Modality, Train
from vidal.train.training_samples import Captions, TrainingSamples, read_samples


@dataclass(frozen=True)
class DataVerdict:
    """The result of a comparison of two datasets.

    clips: the number of clips that each encoder was trained on. judged_by: the number of other clips that both were evaluated on. steps:
    the number of training steps of each encoder. seeds: how often both were trained. metrics: how much each metric differs. In a
    Difference, `with_it` is the value of the first dataset, and `without_it` that of the second.
    """

    clips: int
    judged_by: int
    steps: int
    seeds: int
    metrics: dict[str, Difference]

    @property
    def better(self) -> str | None:
        """The better dataset, "first" or "second", if R@1 differs by more than twice the standard error over seeds; else None."""
        recall = self.metrics["R@1"]
        error = recall.spread / self.seeds**0.5
        if not np.isfinite(error) or abs(recall.change) <= 2 * error:
            return None
        return "first" if recall.change > 0 else "second"


@dataclass(frozen=True)
class _Joined:
    """The clips of several datasets, joined.

    texts: the vectors of the texts, (t, width). dataset: for each clip, the index of its dataset.
    """

    samples: TrainingSamples
    clips: probe.Clips
    texts: np.ndarray
    dataset: np.ndarray


def compare_datasets(
    datasets: tuple[Storage, Storage], judge: Storage | None, settings: Train, seeds: int, progress: Progress
) -> DataVerdict:
    """Trains an encoder on each of two datasets and compares them. Raises UserError if there are too few clips.

    judge: a third dataset, whose clips are used to evaluate both encoders; None uses held-out clips of the two datasets. seeds: how
    often both encoders are trained.
    """
    joined = _join([each for each in (*datasets, judge) if each is not None], settings, progress)
    learned, held = _split(joined, judge is not None)
    size = min(map(len, learned))
    if size < 2 or len(held) < HELD_OUT_MIN:
        raise UserError(
            f"too few clips: --data has {len(learned[0])} and --against {len(learned[1])} to train on (each needs 2), and {len(held)} "
            f"are held out to evaluate on ({HELD_OUT_MIN} are needed): build more shards of the smaller dataset"
        )
    steps = max(1, EPOCHS * size // probe.BATCH)
    weights = np.array([settings.views_of(Modality.IMAGE)[view] for view in joined.samples.captions.names])
    results: dict[str, list[dict[str, float]]] = {"with": [], "without": []}
    for seed in progress(range(seeds), "seeds"):
        for name, rows in zip(results, learned, strict=True):
            chosen = np.random.default_rng(seed).permutation(rows)[:size]
            layer = probe.fit(joined.clips, joined.samples, joined.texts, chosen, weights, steps, seed)
            captions = joined.samples.captions
            results[name].append(probe.judge(layer, joined.clips, captions, joined.texts, held, weights > 0))
    metrics = {metric: difference(results, metric) for metric in results["with"][0]}
    return DataVerdict(size, len(held), steps, seeds, metrics)


def _split(joined: _Joined, has_judge: bool) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Returns the rows that each encoder may be trained on, and the rows that both are evaluated on. No clip is used for both purposes.

    has_judge: whether a third dataset is used to evaluate the encoders.
    """
    readable, dataset = joined.clips.readable, joined.dataset
    names = np.array(joined.samples.clip_ids)
    if has_judge:
        held = np.flatnonzero(readable & (dataset == 2))
    else:
        shares = [np.flatnonzero(readable & held_out(joined.samples) & (dataset == number)) for number in (0, 1)]
        count = min(map(len, shares))
        held = np.concatenate([share[:count] for share in shares])
        _, first = np.unique(names[held], return_index=True)  # A clip that is in both datasets counts once.
        held = held[np.sort(first)]
    free = readable & ~np.isin(names, names[held]) & ~(held_out(joined.samples) & (not has_judge))
    first_rows, second_rows = (np.flatnonzero(free & (dataset == number)) for number in (0, 1))
    return (first_rows, second_rows), held


def _join(storages: Sequence[Storage], settings: Train, progress: Progress) -> _Joined:
    text = open_text_tower(settings.text)
    samples = [read_samples(storage, Modality.IMAGE, settings) for storage in storages]
    pairs = list(zip(storages, samples, strict=True))
    clips = [probe.embed_clips(storage, each, text.width, progress) for storage, each in pairs]
    texts = [probe.text_features(storage, text, each) for storage, each in pairs]
    return _Joined(
        _joined_samples(samples),
        probe.Clips(torch.cat([each.of for each in clips]), torch.cat([each.zero_shot for each in clips])),
        np.concatenate(texts),
        np.repeat(np.arange(len(samples)), [len(each) for each in samples]),
    )


def _joined_samples(samples: list[TrainingSamples]) -> TrainingSamples:
    return TrainingSamples(
        Modality.IMAGE,
        [clip_id for each in samples for clip_id in each.clip_ids],
        np.concatenate([each.shards for each in samples]),
        pa.concat_arrays([each.paths for each in samples]),
        [kind for each in samples for kind in each.depth_kinds],
        _joined_captions([each.captions for each in samples]),
        {},
    )


def _joined_captions(captions: list[Captions]) -> Captions:
    """Joins the captions of several datasets, which must have been read with the same settings, so that their `names` are equal."""
    texts = np.cumsum([0, *(len(each.distinct) for each in captions)])
    spans = np.cumsum([0, *(each.starts[-1] for each in captions)])
    return Captions(
        np.concatenate([[0], *(each.starts[1:] + span for each, span in zip(captions, spans, strict=False))]),
        np.concatenate([each.views for each in captions]),
        np.concatenate([each.frames for each in captions]),
        np.concatenate([each.texts + first for each, first in zip(captions, texts, strict=False)]),
        captions[0].names,
        pa.concat_arrays([each.distinct for each in captions]),
        np.concatenate([each.shards for each in captions]),
    )
