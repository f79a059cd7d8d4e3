"""Measures how well an encoder retrieves the clips that it was trained on, as R@1 in both directions."""

from __future__ import annotations

import numpy as np

from vidal.errors import RecordError
from vidal.media.arrays import BoolArray, Float32Array
from vidal.train.modality_trainer import ModalityTrainer, embed

CLIPS = 1000  # An upper limit, because this is a check and not an evaluation.


def recall(trainer: ModalityTrainer) -> tuple[float, float]:
    """Returns R@1 (from the modality to text, from text to the modality) over at most CLIPS clips that can be read.

    The text of a clip is its title, or else a text of another view. All clips with the same text are right answers for it. Any order
    of tied scores is equally likely, and the expected value is returned.
    """
    rows = _readable_rows(trainer)
    texts = np.array([_text(trainer, row) for row in rows])
    embedded = embed(trainer, rows).numpy()
    scores = embedded @ trainer.features[texts].numpy().T
    right = texts[:, None] == texts[None, :]
    return _recall_at_1(scores, right), _recall_at_1(scores.T, right.T)


def _recall_at_1(scores: Float32Array, right: BoolArray) -> float:
    """Returns the mean over rows of the probability that the best column, drawn among ties, is right. scores, right: (n, m)."""
    best = scores >= scores.max(axis=1, keepdims=True)
    return float(((best & right).sum(1) / best.sum(1)).mean())


def _text(trainer: ModalityTrainer, row: int) -> int:
    captions = trainer.samples.captions
    first, last = captions.starts[row], captions.starts[row + 1]
    order = {name: place for place, name in enumerate(("title", "enhanced", "video", "sound"))}
    places = sorted(range(first, last), key=lambda i: order.get(captions.names[captions.views[i]], len(order)))
    return int(captions.texts[places[0]])


def _readable_rows(trainer: ModalityTrainer) -> list[int]:
    readable = []
    for row in range(min(CLIPS, len(trainer.samples))):
        try:
            trainer.reader(row, 0)
        except (RecordError, OSError):
            continue
        readable.append(row)
    return readable
