"""Videos and their captions: MSR-VTT, MSVD, DiDeMo, ActivityNet Captions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files, plain_pickle
from vidal.train.frames import Excerpt, has_sound
from vidal.train.settings import Modality

_Named = Iterable[tuple[str, tuple[str, ...]]]
# DiDeMo's annotators saw 30 seconds, but LanguageBind and CLIP4Clip use 31.
DIDEMO_S = 31


def msrvtt(folder: Path) -> Benchmark:
    """Reads MSRVTT_JSFUSION_test.csv, the split 1K-A (Yu et al. 2018): a thousand videos with one sentence each."""
    path = files.annotation(folder, "MSRVTT_JSFUSION_test.csv", "msrvtt_jsfusion_test1k.csv")
    return _videos(
        folder,
        ((files.column(row, path, "video_id"), (files.column(row, path, "sentence"),)) for row in files.rows(path)),
    )


def msrvtt_sound(folder: Path) -> Benchmark:
    """Reads the same files as msrvtt, but only the videos that have a sound track.

    LanguageBind's paper compares queries with and without sound on these videos.
    """
    benchmark = msrvtt(folder)
    heard = [sample for sample in benchmark.samples if has_sound(sample.media[Modality.AUDIO])]
    return replace(benchmark, samples=heard)


def msvd(folder: Path) -> Benchmark:
    """Reads test_list.txt, with 670 videos (Chen and Dolan 2011), and AllVideoDescriptions.txt or CLIP4Clip's raw-captions.pkl."""
    wanted = files.lines(files.annotation(folder, "test_list.txt"))
    captions: dict[str, list[str]] = {name: [] for name in wanted}
    for name, sentence in _msvd_sentences(folder):
        if name in captions and sentence:
            captions[name].append(sentence)
    return _videos(folder, ((name, tuple(texts)) for name, texts in captions.items() if texts))


def _msvd_sentences(folder: Path) -> Iterator[tuple[str, str]]:
    """Yields (name of a video, sentence), for videos of all splits."""
    if (pickled := files.optional(folder, "raw-captions.pkl")) is not None:
        for name, sentences in plain_pickle.load(pickled).items():
            yield from ((name, " ".join(words)) for words in sentences)
        return
    for line in files.lines(files.annotation(folder, "AllVideoDescriptions.txt", "raw-captions.pkl")):
        name, _, sentence = line.partition(" ")
        yield name, sentence


def didemo(folder: Path) -> Benchmark:
    """Reads the videos that test_data.json lists (Hendricks et al. 2017). The descriptions of a video are joined into one text.

    For the modality video, only the first 31 s of a file are used. For the modalities audio and image, the whole file is used.
    """
    path = files.annotation(folder, "test_data.json")
    captions: dict[str, list[str]] = {}
    for entry in files.parsed(path):
        captions.setdefault(Path(entry["video"]).stem, []).append(entry["description"])
    return _videos(folder, ((name, (" ".join(texts),)) for name, texts in captions.items()), DIDEMO_S)


def activitynet(folder: Path) -> Benchmark:
    """Reads val_1.json (Krishna et al. 2017): the sentences of a video are joined into one text."""
    captions = files.parsed(files.annotation(folder, "val_1.json"))
    return _videos(
        folder, ((name, (" ".join(text.strip() for text in each["sentences"]),)) for name, each in captions.items())
    )


def _videos(folder: Path, named: _Named, end_s: int | None = None) -> Benchmark:
    """Finds the file of each video by its name, with or without "v_" before it. The file also serves as picture and sound.

    named: pairs of the name of a video and its texts. end_s: the second up to which a video is used; None for the whole video.
    """
    media, samples, missing = files.Media(folder, files.VIDEO), list[Sample](), list[str]()
    for name, texts in _merged(named):
        path = media.find((name, name.removeprefix("v_"), f"v_{name}"))
        if path is None:
            missing.append(name)
        else:
            media_of = {Modality.VIDEO: Excerpt(path, end_s), Modality.AUDIO: path, Modality.IMAGE: path}
            samples.append(Sample(name, media_of, texts))
    return Benchmark(samples, missing=missing)


def _merged(named: _Named) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yields each name once, with the texts of all entries of this name."""
    merged: dict[str, tuple[str, ...]] = {}
    for name, texts in named:
        merged[name] = merged.get(name, ()) + texts
    yield from merged.items()
