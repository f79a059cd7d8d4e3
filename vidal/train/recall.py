"""Measures R@1 between clips and their texts, in both directions, on training clips or on clips of the split val."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidal.media.arrays import BoolArray, Float32Array
from vidal.train.modality_trainer import ModalityTrainer, embed
from vidal.train.reading import Reader
from vidal.train.texts import TextTable
from vidal.train.training_samples import TrainingSamples

CLIPS = 1000  # At most this many clips are measured, because this is a quick check and not an evaluation.


@dataclass(frozen=True)
class Clips:
    """The clips to measure on. reader: reads their media. features: the features of their texts, computed by the language tower."""

    samples: TrainingSamples
    reader: Reader
    features: TextTable


@dataclass(frozen=True)
class Recall:
    """R@1 from the modality to text, and from text to the modality: 0..1, or NaN if no clip can be read."""

    to_text: float
    to_modality: float

    @property
    def mean(self) -> float:
        return (self.to_text + self.to_modality) / 2


def recall(trainer: ModalityTrainer, clips: Clips) -> Recall:
    """Returns R@1 over the first 1000 clips (the constant CLIPS). A clip is left out if one of its files cannot be read.

    Each clip has one text here: its title or, if it has no title, another caption. If several clips have the same text, each of these
    clips is a right answer for the text. Ties for the best score count as if they were broken at random.
    """
    rows, embedded = embed(trainer, clips.samples, clips.reader, range(min(CLIPS, len(clips.samples))))
    if not rows:
        return Recall(float("nan"), float("nan"))
    texts = np.array([_text(clips.samples, row) for row in rows])
    scores = embedded @ clips.features[texts].numpy().T
    right = texts[:, None] == texts[None, :]
    return Recall(_recall_at_1(scores, right), _recall_at_1(scores.T, right.T))


def _recall_at_1(scores: Float32Array, right: BoolArray) -> float:
    """Returns the share of rows whose best column is right.

    If several columns of a row tie for the best score, the row counts as a fraction. The fraction is the share of right columns among
    the tied columns.

    scores: (n, m). right: (n, m), whether a column is a right answer for a row.
    """
    best = scores >= scores.max(axis=1, keepdims=True)
    return float(((best & right).sum(1) / best.sum(1)).mean())


def _text(samples: TrainingSamples, row: int) -> int:
    captions = samples.captions
    first, last = captions.starts[row], captions.starts[row + 1]
    order = {name: place for place, name in enumerate(("title", "enhanced", "video", "sound"))}
    places = sorted(range(first, last), key=lambda i: order.get(captions.names[captions.views[i]], len(order)))
    return int(captions.texts[places[0]])
