"""Benchmarks of sounds: Clotho and AudioCaps have captions; AudioSet, ESC-50 and VGGSound have classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from vidal.errors import UserError
from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.evaluate.benchmarks.folders import class_folders
from vidal.evaluate.templates import SOUND
from vidal.train.settings import Modality

_HEARD = files.SOUND | files.VIDEO


def clotho(folder: Path) -> Benchmark:
    """Reads clotho_captions_evaluation.csv: five captions per recording (Drossos et al. 2020)."""
    path, is_validation = files.test_or_validation(
        folder, ("clotho_captions_evaluation.csv",), ("clotho_captions_validation.csv", "clotho_val.csv")
    )
    named = []
    for row in files.rows(path):
        texts = tuple(text for key, text in row.items() if key.startswith("caption_") and text.strip())
        named.append((files.column(row, path, "file_name"), texts))
    benchmark = _captioned(folder, ((Path(name).name, (Path(name).stem,), texts) for name, texts in named))
    return replace(benchmark, is_validation=is_validation)


def audiocaps(folder: Path) -> Benchmark:
    """Reads test.csv: five captions per clip of AudioSet, one in each row (Kim et al. 2019).

    If the folder has ONE-PEACE's audiocaps_test.tsv, reads that instead.
    """
    if (listed := files.optional(folder, "audiocaps_test.tsv")) is not None:
        return _captioned(folder, _listed_captions(listed))
    path, is_validation = files.test_or_validation(
        folder, ("test.csv", "audiocaps_test.csv"), ("val.csv", "audiocaps_val.csv")
    )
    captions: dict[tuple[str, int], tuple[list[str], list[str]]] = {}
    for row in files.rows(path):
        start = int(float(files.column(row, path, "start_time")))
        stems, texts = captions.setdefault((files.column(row, path, "youtube_id"), start), ([], []))
        stems.append(files.column(row, path, "audiocap_id"))
        texts.append(files.column(row, path, "caption"))
    benchmark = _captioned(
        folder,
        ((name, (*_stems(name, start), *stems), tuple(texts)) for (name, start), (stems, texts) in captions.items()),
    )
    return replace(benchmark, is_validation=is_validation)


def _listed_captions(path: Path) -> Iterator[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """Yields (file name, (file name without extension,), captions) for each sound of a tab-separated table.

    The table has a row for each caption. Its columns are audio (a file name) and text (a caption).
    """
    captions: dict[str, list[str]] = {}
    for row in files.rows(path, delimiter="\t"):
        captions.setdefault(files.column(row, path, "audio"), []).append(files.column(row, path, "text"))
    for audio, texts in captions.items():
        yield audio, (Path(audio).stem,), tuple(texts)


def audioset(folder: Path) -> Benchmark:
    """Reads the evaluation segments of AudioSet (Gemmeke et al. 2017). A segment may belong to several of the 527 classes.

    eval_segments.csv lists the segments and the classes of each. class_labels_indices.csv has the names of the classes.
    """
    index = files.annotation(folder, "class_labels_indices.csv", "audioset_class_labels_indices.csv")
    classes = {files.column(row, index, "mid"): files.column(row, index, "display_name") for row in files.rows(index)}
    places = {mid: place for place, mid in enumerate(classes)}
    path = files.annotation(folder, "eval_segments.csv")
    named = []
    for row in files.rows(path, ("id", "start", "end", "labels"), comment="#"):
        if unknown := [mid for mid in row["labels"].split(",") if mid not in places]:
            raise UserError(
                f"{path}: {row['id']} has the label {unknown[0]}, which {index.name} lacks: use the published files"
            )
        named.append(
            (
                row["id"],
                _stems(row["id"], int(float(row["start"]))),
                tuple(places[mid] for mid in row["labels"].split(",")),
            )
        )
    return _labelled(folder, named, tuple(classes.values()), many=True)


def esc50(folder: Path) -> Benchmark:
    """Reads esc50.csv (Piczak 2015): all five folds, because nothing is trained on them.

    If the file is missing, reads one folder of sounds per class.
    """
    if (path := files.optional(folder, "esc50.csv")) is None:
        return class_folders(folder, Modality.AUDIO, SOUND, needs="meta/esc50.csv")
    named = [
        (files.column(row, path, "filename"), files.column(row, path, "category").replace("_", " "))
        for row in files.rows(path)
    ]
    classes = tuple(sorted({category for _, category in named}))
    return _labelled(
        folder, [(name, (Path(name).stem,), (classes.index(category),)) for name, category in named], classes
    )


def vggsound(folder: Path) -> Benchmark:
    """Reads vggsound.csv (Chen et al. 2020): the test split, 309 classes.

    If the file is missing, reads one folder of sounds per class.
    """
    if (path := files.optional(folder, "vggsound.csv")) is None:
        return class_folders(folder, Modality.AUDIO, SOUND, needs="vggsound.csv")
    listed = list(files.rows(path, ("id", "start", "label", "split")))
    classes = tuple(sorted({row["label"] for row in listed}))
    places = {name: place for place, name in enumerate(classes)}
    return _labelled(
        folder,
        [
            (f"{row['id']}_{int(row['start']):06d}", _stems(row["id"], int(row["start"])), (places[row["label"]],))
            for row in listed
            if row["split"] == "test"
        ],
        classes,
    )


def _stems(name: str, start: int) -> tuple[str, ...]:
    """Returns the names, without extension, that common downloaders give to the file of a segment of a YouTube video.

    name: the id of the video. start: where the segment starts, in seconds. It lasts ten seconds.
    """
    span = f"{name}_{start}_{start + 10}"
    return (name, f"Y{name}", f"{name}_{start:06d}", f"{name}_{start}", f"{name}_{start:06d}_{start + 10:06d}", span)


def _captioned(folder: Path, named: Iterable[tuple[str, tuple[str, ...], tuple[str, ...]]]) -> Benchmark:
    media, samples, missing = files.Media(folder, _HEARD), list[Sample](), list[str]()
    for name, stems, texts in named:
        path = media.find(stems)
        if path is None:
            missing.append(name)
        else:
            samples.append(Sample(name, _media(path), texts))
    return Benchmark(samples, missing=missing)


def _labelled(
    folder: Path,
    named: Iterable[tuple[str, tuple[str, ...], tuple[int, ...]]],
    classes: tuple[str, ...],
    many: bool = False,
) -> Benchmark:
    media, samples, missing = files.Media(folder, _HEARD), list[Sample](), list[str]()
    for name, stems, labels in named:
        path = media.find(stems)
        if path is None:
            missing.append(name)
        else:
            samples.append(Sample(name, _media(path), labels=labels))
    return Benchmark(samples, classes, SOUND, many_labels=many, missing=missing)


def _media(path: Path) -> dict[Modality, Path]:
    """Returns the media of a sound by modality. If its file is a video, the file also serves as picture and video."""
    pictures = {Modality.IMAGE: path, Modality.VIDEO: path} if path.suffix.lower() in files.VIDEO else {}
    return {Modality.AUDIO: path, **pictures}
