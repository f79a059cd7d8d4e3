"""Encodes the samples of a benchmark as vectors: the queries of a measurement, or the targets that the queries should find."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from vidal.errors import RecordError, UserError
from vidal.evaluate.benchmark import TEXT, Benchmark, Sample
from vidal.evaluate.joint import joint, unit
from vidal.train.encoder import BoundEncoder
from vidal.train.settings import Modality

BATCH = 32
Progress = Callable[[Sequence[Any], str], Iterator[Any]]


@dataclass(frozen=True)
class Vectors:
    """The vectors of the samples of a benchmark.

    of: (n, d), a unit vector for each sample. Or (n, m, d), if m crops of each video are encoded separately. The vectors of a sample
    that cannot be decoded are NaN. rejected: for the name of each such sample, the reason.
    """

    of: np.ndarray
    rejected: dict[str, str]


def side(
    encoder: BoundEncoder, benchmark: Benchmark, names: Sequence[str], weights: Mapping[str, float], progress: Progress
) -> Vectors:
    """Encodes the query or the target of a measurement.

    names: modalities, or "text". The vectors of several names are averaged. weights: the weight of each name in the mean, 1 by default.
    """
    parts, rejected = [], dict[str, str]()
    for name in names:
        vectors = _texts(encoder, benchmark) if name == TEXT else _media(encoder, benchmark, Modality(name), progress)
        rejected |= vectors.rejected
        parts.append((vectors.of, weights.get(name, 1.0)))
    return Vectors(joint(parts) if len(parts) > 1 else parts[0][0], rejected)


def _texts(encoder: BoundEncoder, benchmark: Benchmark) -> Vectors:
    """Encodes one text per sample: the first of its captions, or the name of its class in the first template."""
    texts = []
    for sample in benchmark.samples:
        if not sample.texts and not sample.labels:
            raise UserError(
                f'{sample.name} has neither a text nor a label: choose a query and a target other than "text"'
            )
        label = benchmark.classes[sample.labels[0]] if sample.labels else ""
        texts.append(sample.texts[0] if sample.texts else benchmark.templates[0].replace("{}", label))
    return Vectors(encoder.encode_text(texts), {})


def view_vectors(encoder: BoundEncoder, benchmark: Benchmark, progress: Progress) -> Vectors:
    """Encodes each view of each video of a benchmark separately. A view is a crop of a stretch of the video.

    The vectors are (n, views, d).
    """
    times, crops = benchmark.views

    def encode(samples: Sequence[Sample]) -> np.ndarray:
        return encoder.encode_video_views([sample.media[Modality.VIDEO] for sample in samples], times, crops)

    return _encoded(benchmark.samples, encode, (times * crops, encoder.width), progress, Modality.VIDEO.value)


def _media(encoder: BoundEncoder, benchmark: Benchmark, modality: Modality, progress: Progress) -> Vectors:
    def encode(samples: Sequence[Sample]) -> np.ndarray:
        return _encode(encoder, modality, samples)

    return _encoded(benchmark.samples, encode, (encoder.width,), progress, modality.value)


def _encoded(
    samples: list[Sample],
    encode: Callable[[Sequence[Sample]], np.ndarray],
    shape: tuple[int, ...],
    progress: Progress,
    title: str,
) -> Vectors:
    """Encodes samples in batches. If a sample cannot be decoded, each sample of its batch is encoded alone.

    encode: returns the vectors of samples, (n, *shape). shape: (d,), or (k, d) for k vectors of each sample.
    title: the name of the progress bar.
    """
    encoded, rejected = [], dict[str, str]()
    batches = [samples[start : start + BATCH] for start in range(0, len(samples), BATCH)]
    for batch in progress(batches, title):
        try:
            encoded.append(encode(batch))
        except RecordError:
            encoded += [_alone(encode, sample, shape, rejected) for sample in batch]
    return Vectors(np.concatenate(encoded), rejected)


def _alone(
    encode: Callable[[Sequence[Sample]], np.ndarray], sample: Sample, shape: tuple[int, ...], rejected: dict[str, str]
) -> np.ndarray:
    try:
        return encode([sample])
    except RecordError as error:
        rejected[sample.name] = str(error)
        return np.full((1, *shape), np.nan, np.float32)


def _encode(encoder: BoundEncoder, modality: Modality, samples: Sequence[Sample]) -> np.ndarray:
    media = [sample.media[modality] for sample in samples]
    if modality is Modality.VIDEO:
        return encoder.encode_video(media)
    if modality is Modality.AUDIO:
        return encoder.encode_audio(media)
    if modality is Modality.INFRARED:
        return encoder.encode_infrared(media)
    if modality is Modality.IMAGE:
        return encoder.encode_image(media)
    vectors = np.zeros((len(samples), encoder.text.width), np.float32)
    for kind in {sample.depth_kind for sample in samples}:
        rows = [place for place, sample in enumerate(samples) if sample.depth_kind == kind]
        vectors[rows] = encoder.encode_depth([media[place] for place in rows], kind)
    return unit(vectors)
