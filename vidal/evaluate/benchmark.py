"""A benchmark in the form that every reader returns: samples with their media, and the texts or classes that describe them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from vidal.train.settings import Modality

TEXT = "text"


def modalities_in(query: str, target: str) -> set[Modality]:
    """Returns all modalities that `query` or `target` names.

    query, target: one name, or several names joined by "+", such as "depth+image". The name "text" is ignored.
    """
    return {Modality(name) for name in (*query.split("+"), *target.split("+")) if name != TEXT}


@dataclass(frozen=True)
class Sample:
    """One sample of a benchmark.

    media: the input for BoundEncoder in each modality, such as a path, a region of a picture, or several pictures of one clip. texts:
    the captions; each is a right answer. labels: indices into the classes of the benchmark. depth_kind: "metric", "relative" or
    "inverse_relative", for a sample with depth.
    """

    name: str
    media: Mapping[Modality, Any]
    texts: tuple[str, ...] = ()
    labels: tuple[int, ...] = ()
    depth_kind: str = "metric"


@dataclass(frozen=True)
class Benchmark:
    """A benchmark as its reader returns it.

    classes: the names of the classes; empty if the samples have no labels.
    templates: prompts with {} in place of the class.
    picture_templates: the prompts for photos. If only the photos of the samples (modality "image") are classified, these prompts replace
    `templates`. If picture_templates is empty, `templates` are used for photos too.
    many_labels: whether samples may have several labels.
    views: (stretches, crops), for videos with classes. Every crop of every stretch of a video is classified; the class probabilities are
    averaged.
    missing: what the annotation lists but the folder lacks: the names of samples, or of pictures from which samples are cropped.
    is_validation: whether the samples are those of the validation split, because the folder has no test split.
    is_mixed: whether samples may lack a modality, as in a dataset of videos and sounds.
    """

    samples: list[Sample]
    classes: tuple[str, ...] = ()
    templates: tuple[str, ...] = ("{}",)
    picture_templates: tuple[str, ...] = ()
    many_labels: bool = False
    views: tuple[int, int] = (1, 1)
    missing: list[str] = field(default_factory=list)
    is_validation: bool = False
    is_mixed: bool = False

    def with_modalities(self, query: str, target: str) -> Benchmark:
        """Leaves out samples that lack a modality of `query` or `target`. Without is_mixed, returns the benchmark unchanged."""
        if not self.is_mixed:
            return self
        wanted = modalities_in(query, target)
        return replace(self, samples=[sample for sample in self.samples if wanted <= sample.media.keys()])

    def templates_for(self, query: str) -> tuple[str, ...]:
        """Returns the prompt templates for a query, such as "image" or "depth+image"."""
        is_picture = query == Modality.IMAGE.value and self.picture_templates
        return self.picture_templates if is_picture else self.templates

    def share(self, share: float) -> Benchmark:
        """Returns the benchmark with only a share of its samples, at least one. share: 0..1.

        Every call chooses the same samples: those whose names have the lowest hashes.
        """
        if share >= 1:
            return self
        ordered = sorted(self.samples, key=lambda sample: hashlib.sha256(sample.name.encode()).digest())
        chosen = {sample.name for sample in ordered[: max(1, round(share * len(ordered)))]}
        return replace(self, samples=[sample for sample in self.samples if sample.name in chosen])


@dataclass(frozen=True)
class Measured:
    """The result of a measurement.

    query, target: modalities or "text", joined by +.
    metrics: the value of each metric, by its name. A value is a share from 0 to 1, or a rank counted from 1.
    samples: the number of samples that were measured.
    missing: the number of samples without a file. If samples are cropped from pictures, the number of pictures without a file.
    unreadable: the number of samples that cannot be decoded.
    is_validation: whether the validation split was measured in place of a missing test split.
    """

    query: str
    target: str
    metrics: dict[str, float]
    samples: int
    missing: int = 0
    unreadable: int = 0
    is_validation: bool = False
