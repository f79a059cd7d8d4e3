"""what every reader of a benchmark returns: samples with their media, and the texts or classes that describe them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vidal.train.settings import Modality

TEXT = "text"


@dataclass(frozen=True)
class Sample:
    """media: what BoundEncoder takes for the modality: a path, a region of a picture, or several pictures of one clip.

    texts: captions, of which each is right. labels: places in the benchmark's classes. depth_kind: as in a manifest.
    """

    name: str
    media: Mapping[Modality, Any]
    texts: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    depth_kind: str = "metric"


@dataclass(frozen=True)
class Benchmark:
    """classes: empty if samples have texts of their own. templates: texts with {} for a class. many_labels: a sample has several.

    views: of a video, in time and in space, whose vectors are averaged. missing: samples that the annotation names without a file.
    """

    samples: list[Sample]
    classes: tuple[str, ...] = ()
    templates: tuple[str, ...] = ("{}",)
    many_labels: bool = False
    views: tuple[int, int] = (1, 1)
    missing: list[str] = field(default_factory=list)

    def share(self, share: float) -> Benchmark:
        """A random share of the samples, the same each time: those whose names have the lowest hashes."""
        if share >= 1:
            return self
        ordered = sorted(self.samples, key=lambda sample: hashlib.sha256(sample.name.encode()).digest())
        chosen = {sample.name for sample in ordered[: max(1, round(share * len(ordered)))]}
        return replace(self, samples=[sample for sample in self.samples if sample.name in chosen])


@dataclass(frozen=True)
class Measured:
    """metrics: shares, and ranks from 1. samples: those that count. missing, unreadable: those that do not, and the first of them."""

    query: str
    target: str
    metrics: dict[str, float]
    samples: int
    missing: int = 0
    unreadable: int = 0
