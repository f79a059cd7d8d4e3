"""Measures an encoder on a benchmark: how well a modality matches texts, classes, or another modality."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from vidal.errors import UserError
from vidal.evaluate import classification, embedding
from vidal.evaluate.benchmark import TEXT, Benchmark, Measured, modalities_in
from vidal.evaluate.retrieval import retrieve, retrieve_groups
from vidal.train.encoder import BoundEncoder
from vidal.train.settings import Modality

# The vectors of the classes of recent benchmarks, because those of ImageNet take 80,000 texts.
_RECENT: dict[tuple[str, int, tuple[str, ...], tuple[str, ...]], np.ndarray] = {}
_KEPT = 8


def measure(
    encoder: BoundEncoder,
    benchmark: Benchmark,
    query: str,
    target: str = TEXT,
    weights: Mapping[str, float] | None = None,
    skip_missing: bool = False,
    progress: embedding.Progress | None = None,
) -> Measured:
    """Measures an encoder on a benchmark.

    query, target: names of modalities, or "text", joined by +. The vectors of joined names are averaged. weights: the weight of each
    name in this mean, 1 by default.
    skip_missing: leaves out samples whose files are missing or cannot be decoded.

    If the target is "text" and the benchmark has classes, the encoder is measured by classification: top-1 and top-5, or mAP if samples
    may have several labels. Otherwise, it is measured by retrieval in both directions.

    Raises UserError if no sample can be measured, if a sample lacks a modality, or, without skip_missing, if a file is missing or cannot
    be decoded.
    """
    weights, benchmark = weights or {}, benchmark.with_modalities(query, target)
    require(benchmark, query, target, skip_missing)
    by_view = query == Modality.VIDEO.value and target == TEXT and benchmark.views != (1, 1)
    if by_view:
        one = embedding.view_vectors(encoder, benchmark, progress or _silent)
    else:
        one = _side(encoder, benchmark, query, weights, progress)
    other = None if target == TEXT else _side(encoder, benchmark, target, weights, progress)
    rejected = one.rejected | (other.rejected if other else {})
    if rejected and not skip_missing:
        name, why = next(iter(rejected.items()))
        raise UserError(
            f"{len(rejected)} samples cannot be read; the first is {name} ({why}): "
            "repair the files, or give --skip-missing to measure the others"
        )
    keep = [place for place, sample in enumerate(benchmark.samples) if sample.name not in rejected]
    if not keep:
        raise UserError(
            f"none of the samples can be read: replace their files; the first error is: {next(iter(rejected.values()))}"
        )
    kept = replace(benchmark, samples=[benchmark.samples[place] for place in keep])
    vectors = one.of[keep]
    metrics = _between(vectors, other.of[keep]) if other else _against_texts(encoder, kept, query, vectors)
    missing, unreadable = len(benchmark.missing), len(rejected)
    return Measured(query, target, metrics, len(keep), missing, unreadable, benchmark.is_validation)


def require(benchmark: Benchmark, query: str, target: str, skip_missing: bool) -> None:
    """Raises UserError if the benchmark has no sample, or if a sample lacks a modality of the query or the target.

    Also raises it if the file of a sample is missing, unless skip_missing is set.
    """
    if benchmark.missing and not (skip_missing and benchmark.samples):
        raise UserError(
            f"{len(benchmark.missing)} of {len(benchmark.missing) + len(benchmark.samples)} samples have no file; the first is "
            f"{benchmark.missing[0]}: add the files{', or give --skip-missing to measure the others' if benchmark.samples else ''}"
        )
    if not benchmark.samples:
        raise UserError(
            "--data has no sample to measure: give a folder whose annotation lists samples, or a dataset with captions "
            f"and with the modalities of --query and --target ({query}, {target})"
        )
    wanted = modalities_in(query, target)
    for sample in benchmark.samples:
        if lacking := sorted(each.value for each in wanted - sample.media.keys()):
            shown = ", ".join(each.value for each in sample.media)
            raise UserError(f"{sample.name} has no {lacking[0]}, only {shown}: choose --query and --target from these")


def _side(
    encoder: BoundEncoder,
    benchmark: Benchmark,
    names: str,
    weights: Mapping[str, float],
    progress: embedding.Progress | None,
) -> embedding.Vectors:
    return embedding.side(encoder, benchmark, names.split("+"), weights, progress or _silent)


def _silent(items: Sequence[Any], name: str) -> Iterator[Any]:
    return iter(items)


def _against_texts(encoder: BoundEncoder, benchmark: Benchmark, query: str, vectors: np.ndarray) -> dict[str, float]:
    """Measures how well the samples of a benchmark match their captions or classes.

    vectors: (n, d), those of the samples; or (n, excerpts, d), if several excerpts of each video were encoded.
    """
    if not benchmark.classes:
        return _captioned(encoder, benchmark, vectors)
    templates = benchmark.templates_for(query)
    scores = vectors @ _class_vectors(encoder, benchmark.classes, templates).T
    if scores.ndim == 3:
        scores = classification.mean_probabilities(scores)
    labels = [sample.labels for sample in benchmark.samples]
    if benchmark.many_labels:
        return classification.mean_average_precision(scores, labels)
    return classification.accuracy(scores, np.array([each[0] for each in labels]))


def _class_vectors(encoder: BoundEncoder, names: Sequence[str], templates: Sequence[str]) -> np.ndarray:
    """Returns a vector for each class, the mean over the templates: (classes, d) float32, L2-normalised.

    The vectors are kept in memory, because other encoders with the same language tower have the same ones.
    """
    key = (encoder.text.identity, encoder.width, tuple(names), tuple(templates))
    if key not in _RECENT:
        _RECENT[key] = classification.class_vectors(encoder.encode_text, names, templates)
        for other in list(_RECENT)[:-_KEPT]:
            del _RECENT[other]
    return _RECENT[key]


def _captioned(encoder: BoundEncoder, benchmark: Benchmark, vectors: np.ndarray) -> dict[str, float]:
    """Measures retrieval of samples by their captions, and of captions by their samples. vectors: those of the samples, (n, d).

    text_to_query: each caption searches for its sample. query_to_text: each sample searches for its captions; the captions of a sample
    count as one answer, with the score of the best of them.
    """
    texts = [text for sample in benchmark.samples for text in sample.texts]
    groups = np.repeat(np.arange(len(vectors)), [len(sample.texts) for sample in benchmark.samples])
    captions, own = encoder.encode_text(texts), np.arange(len(vectors))
    forth, back = retrieve(captions, vectors, groups, own), retrieve_groups(vectors, captions, own, groups)
    return forth.flat("text_to_query/") | back.flat("query_to_text/")


def _between(vectors: np.ndarray, others: np.ndarray) -> dict[str, float]:
    own = np.arange(len(vectors))
    forth, back = retrieve(vectors, others, own, own), retrieve(others, vectors, own, own)
    return forth.flat("query_to_target/") | back.flat("target_to_query/")
