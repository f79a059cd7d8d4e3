"""Random crops and flips of training pictures; all frames of a clip get the same crop and flip. Evaluation crops in the centre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vidal.train.settings import Encoder


@dataclass(frozen=True)
class Augmentation:
    """The crop and the flip of a picture.

    place: the position of the square crop along the longer side, 0..1; 0.5 is the centre. flip: whether the picture
    is mirrored from left to right.
    """

    place: float = 0.5
    flip: bool = False


NONE = Augmentation()


def draw(settings: Encoder, key: tuple[int, ...]) -> Augmentation:
    """Draws a random augmentation for a clip. key: (seed, epoch, row of the clip); the same key gives the same result."""
    if not settings.random_crop and not settings.flip:
        return NONE
    place, flip = np.random.default_rng((*key, 1)).random(2)
    return Augmentation(float(place) if settings.random_crop else NONE.place, bool(flip < settings.flip))
