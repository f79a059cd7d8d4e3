"""How well an encoder retrieves the clips that it was trained on: R@1 in both directions."""

from __future__ import annotations

import numpy as np

from vidal.train.modality_trainer import ModalityTrainer, embed

CLIPS = 1000  # At most: a check, not an evaluation.


def recall(trainer: ModalityTrainer) -> tuple[float, float]:
    """(modality to text, text to modality), over at most CLIPS clips that can be read, each with the first of its texts that
    says most of it alone: the title, else what comes first. Clips of one text are all right for it; of tied scores, the mean counts.
    """
    rows = _readable(trainer)
    texts = np.array([_text(trainer, row) for row in rows])
    embedded = embed(trainer, rows).numpy()
    scores = embedded @ trainer.features[texts].numpy().T
    right = texts[:, None] == texts[None, :]
    return _first(scores, right), _first(scores.T, right.T)


def _first(scores: np.ndarray, right: np.ndarray) -> float:
    """Mean over rows of the chance that the best, drawn among ties, is right."""
    best = scores >= scores.max(axis=1, keepdims=True)
    return float(((best & right).sum(1) / best.sum(1)).mean())


def _text(trainer: ModalityTrainer, row: int) -> int:
    captions = trainer.samples.captions
    first, last = captions.starts[row], captions.starts[row + 1]
    order = {name: place for place, name in enumerate(("title", "enhanced", "video", "sound"))}
    places = sorted(range(first, last), key=lambda i: order.get(captions.names[captions.views[i]], len(order)))
    return int(captions.texts[places[0]])


def _readable(trainer: ModalityTrainer) -> list[int]:
    from vidal.errors import RecordError

    readable = []
    for row in range(min(CLIPS, len(trainer.samples))):
        try:
            trainer.reader(row, 0)
        except (RecordError, OSError):
            continue
        readable.append(row)
    return readable
