"""A linear probe that trains in seconds: one linear layer from EfficientNet's features of a clip to the vectors of the language tower.

The features of each clip are computed only once. Training the layer again, for example with another seed, costs little more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vidal.errors import RecordError
from vidal.evaluate.embedding import Progress
from vidal.evaluate.retrieval import retrieve
from vidal.storage.storage import Storage
from vidal.train import inputs
from vidal.train.loss import Temperature, build_loss
from vidal.train.reading import Reader, spread
from vidal.train.settings import Encoder, Modality
from vidal.train.texts import TextFeatures
from vidal.train.towers import LanguageTower
from vidal.train.towers.efficientnet import FEATURES, EfficientNetTower
from vidal.train.training_samples import Captions, TrainingSamples, sample_caption

FRAMES, SIDE, BATCH = 4, 112, 64
LR, TEMPERATURE, WEIGHT_DECAY = 1e-3, 0.07, 0.2


@dataclass(frozen=True)
class Clips:
    """The features of n clips; rows of unreadable clips are NaN.

    of: the features of EfficientNet, (n, FEATURES), which are the input of the linear layer. zero_shot: for each clip, the vector of its
    pictures by the EfficientNet tower before any training, (n, width). The output of the linear layer is added to it.
    """

    of: Tensor
    zero_shot: Tensor

    @property
    def readable(self) -> np.ndarray:
        return torch.isfinite(self.of).all(1).numpy()


def embed_clips(storage: Storage, samples: TrainingSamples, width: int, progress: Progress) -> Clips:
    """Computes the features of each clip. They are the mean over at most FRAMES pictures of the clip.

    If one of these pictures cannot be read, the features of the clip are NaN. width: the width of the language tower. The vectors in
    Clips.zero_shot have the same width.
    """
    settings = Encoder(side=SIDE, tuning="head")
    tower = EfficientNetTower(Modality.IMAGE, settings, width, None).eval()
    reader = Reader(storage, samples, settings)
    of = torch.full((len(samples), FEATURES), torch.nan)
    zero_shot = torch.full((len(samples), width), torch.nan)
    with torch.inference_mode():
        for row in progress(range(len(samples)), "clips embedded"):
            frames = spread(len(samples.paths_of(row)), FRAMES)
            try:
                pixels = np.stack([reader(row, frame) for frame in frames])
            except (RecordError, OSError):
                continue
            normal = inputs.normalise(Modality.IMAGE, torch.from_numpy(pixels), tower.mean, tower.std)
            of[row], zero_shot[row] = (each.mean(0) for each in tower.embed_frames(normal))
    return Clips(of, zero_shot)


def fit(
    clips: Clips,
    samples: TrainingSamples,
    texts: np.ndarray,
    rows: np.ndarray,
    weights: np.ndarray,
    steps: int,
    seed: int,
) -> nn.Linear:
    """Trains the probe, which is one linear layer, for `steps` batches, and returns it. rows: the indices of the clips to train on.

    texts: the features of samples.captions.distinct, (texts, width). weights: (views,), in the order of samples.captions.names. A view of
    twice the weight is drawn twice as often.
    """
    torch.manual_seed(seed)
    layer = nn.Linear(clips.of.shape[1], texts.shape[1], bias=False)
    nn.init.zeros_(layer.weight)
    temperature, loss = Temperature(TEMPERATURE), build_loss("info_nce")
    optimiser = torch.optim.AdamW([*layer.parameters(), *temperature.parameters()], lr=LR, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for key, batch in zip(range(steps), _batches(rows, seed), strict=False):
        chosen = [sample_caption(samples, int(row), weights, (seed, key))[0] for row in batch]
        embedded = F.normalize(clips.zero_shot[batch] + layer(clips.of[batch]), dim=-1)
        optimiser.zero_grad()
        loss(embedded, torch.from_numpy(texts[chosen]), temperature).backward()
        optimiser.step()
        temperature.cap_()
        schedule.step()
    return layer


def _batches(rows: np.ndarray, seed: int) -> Iterator[np.ndarray]:
    generator = np.random.default_rng(seed)
    size = min(BATCH, len(rows))
    while True:
        order = generator.permutation(rows)
        for start in range(0, len(order) - size + 1, size):
            yield order[start : start + size]


def judge(
    layer: nn.Linear, clips: Clips, captions: Captions, texts: np.ndarray, rows: np.ndarray, views: np.ndarray
) -> dict[str, float]:
    """Measures retrieval between clips and their texts. Returns {"R@1": ..., ...}, each the mean of both directions.

    rows: the indices of the clips to measure on. views: (views,) bool, whether to use the texts of each view, in the order of
    captions.names. Clips without a text of these views are left out. A text that a clip has several times counts once.
    """
    spans = [_texts_of(captions, row, views) for row in rows]
    rows, spans = rows[[len(span) > 0 for span in spans]], [span for span in spans if len(span)]
    with torch.inference_mode():
        embedded = F.normalize(clips.zero_shot[rows] + layer(clips.of[rows]), dim=-1).numpy()
    groups = np.repeat(np.arange(len(rows)), [len(span) for span in spans])
    chosen, own = texts[np.concatenate(spans)], np.arange(len(rows))
    forth, back = retrieve(chosen, embedded, groups, own), retrieve(embedded, chosen, own, groups)
    return {f"R@{k}": (forth.recall[k] + back.recall[k]) / 2 for k in forth.recall}


def _texts_of(captions: Captions, row: int, views: np.ndarray) -> np.ndarray:
    span = slice(captions.starts[row], captions.starts[row + 1])
    return np.unique(captions.texts[span][views[captions.views[span]]])


def text_features(storage: Storage, tower: LanguageTower, samples: TrainingSamples) -> np.ndarray:
    """Returns the language tower's vectors of all distinct captions of the samples, (texts, width) float32, L2-normalised.

    Their order is that of samples.captions.distinct.
    """
    table = TextFeatures(storage, tower).compute(samples.captions)
    features: np.ndarray = table[np.arange(len(table))].numpy()
    return features
