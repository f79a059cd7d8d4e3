"""Videos and their captions: MSR-VTT, MSVD, DiDeMo, ActivityNet Captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.train.settings import Modality

_Named = Iterable[tuple[str, tuple[str, ...]]]


def msrvtt(folder: Path) -> Benchmark:
    """The 1K-A split (Yu et al. 2018): a thousand videos with one sentence each."""
    path = files.annotation(folder, "MSRVTT_JSFUSION_test.csv", "msrvtt_jsfusion_test1k.csv")
    return _videos(
        folder,
        ((files.column(row, path, "video_id"), (files.column(row, path, "sentence"),)) for row in files.rows(path)),
    )


def msvd(folder: Path) -> Benchmark:
    """Chen and Dolan 2011: 670 test videos with all their descriptions."""
    wanted = files.lines(files.annotation(folder, "test_list.txt"))
    captions: dict[str, list[str]] = {name: [] for name in wanted}
    for line in files.lines(files.annotation(folder, "AllVideoDescriptions.txt")):
        name, _, sentence = line.partition(" ")
        if name in captions and sentence:
            captions[name].append(sentence)
    return _videos(folder, ((name, tuple(texts)) for name, texts in captions.items() if texts))


def didemo(folder: Path) -> Benchmark:
    """Hendricks et al. 2017, as paragraphs: the descriptions of a video are joined into one text."""
    path = files.annotation(folder, "test_data.json")
    captions: dict[str, list[str]] = {}
    for entry in files.parsed(path):
        captions.setdefault(Path(entry["video"]).stem, []).append(entry["description"])
    return _videos(folder, ((name, (" ".join(texts),)) for name, texts in captions.items()))


def activitynet(folder: Path) -> Benchmark:
    """Krishna et al. 2017, val_1 as paragraphs: the sentences of a video are joined into one text."""
    captions = files.parsed(files.annotation(folder, "val_1.json"))
    return _videos(
        folder, ((name, (" ".join(text.strip() for text in each["sentences"]),)) for name, each in captions.items())
    )


def _videos(folder: Path, named: _Named) -> Benchmark:
    """Finds the file of each video by its name, or by "v_" and its name. A video has pictures and sound."""
    media, samples, missing = files.Media(folder, files.VIDEO), list[Sample](), list[str]()
    for name, texts in _merged(named):
        path = media.find((name, name.removeprefix("v_"), f"v_{name}"))
        if path is None:
            missing.append(name)
        else:
            samples.append(Sample(name, {Modality.VIDEO: path, Modality.AUDIO: path, Modality.IMAGE: path}, texts))
    return Benchmark(samples, missing=missing)


def _merged(named: _Named) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Merges the texts of entries with the same name."""
    merged: dict[str, tuple[str, ...]] = {}
    for name, texts in named:
        merged[name] = merged.get(name, ()) + texts
    yield from merged.items()
