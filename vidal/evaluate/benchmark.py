"""The result of every reader of a benchmark: samples with their media, and the texts or classes that describe them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vidal.train.settings import Modality

TEXT = "text"


@dataclass(frozen=True)
class Sample:
    """One sample. media: the input of BoundEncoder, by modality: a path, a region of a picture, or several pictures of one clip.

    texts: captions, all of which are right. labels: indices into the benchmark's classes. depth_kind: as in a manifest.
    """

    name: str
    media: Mapping[Modality, Any]
    texts: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    depth_kind: str = "metric"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as its reader returns it.

    classes: their names; empty if the samples have no labels. templates: texts with {} for a class. picture_templates: the templates for
    the query "image" alone; empty means `templates`. many_labels: samples may have several labels. views: the numbers of views of a
    video in time and in space; the class probabilities of all views are averaged. missing: names of samples of the annotation, or of
    their pictures, that have no file. is_validation: the samples are of the validation split, because the folder has no test split.
    """

    samples: list[Sample]
    classes: tuple[str, ...] = ()
    templates: tuple[str, ...] = ("{}",)
    picture_templates: tuple[str, ...] = ()
    many_labels: bool = False
    views: tuple[int, int] = (1, 1)
    missing: list[str] = field(default_factory=list)
    is_validation: bool = False

    def templates_for(self, query: str) -> tuple[str, ...]:
        """Returns the templates for a query, such as "image" or "depth+image"."""
        is_picture = query == Modality.IMAGE.value and self.picture_templates
        return self.picture_templates if is_picture else self.templates

    def share(self, share: float) -> Benchmark:
        """Returns the benchmark with a random share of its samples, always the same: those whose names have the lowest hashes."""
        if share >= 1:
            return self
        ordered = sorted(self.samples, key=lambda sample: hashlib.sha256(sample.name.encode()).digest())
        chosen = {sample.name for sample in ordered[: max(1, round(share * len(ordered)))]}
        return replace(self, samples=[sample for sample in self.samples if sample.name in chosen])


@dataclass(frozen=True)
class Measured:
    """The result of a measurement. metrics: shares, 0..1, and ranks, counted from 1. samples: how many were measured.

    missing, unreadable: how many were not, because they have no file, or one that cannot be decoded. is_validation: as in Benchmark.
    """

    query: str
    target: str
    metrics: dict[str, float]
    samples: int
    missing: int = 0
    unreadable: int = 0
    is_validation: bool = False
