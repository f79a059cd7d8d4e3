"""Reads your own data: a vidal dataset, a list of files with captions, or one folder per class."""

from __future__ import annotations

import atexit
import functools
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from vidal.errors import UserError
from vidal.evaluate.benchmark import Benchmark, Sample
from vidal.evaluate.benchmarks import files
from vidal.evaluate.benchmarks.folders import class_folders
from vidal.evaluate.templates import pictures
from vidal.records import ManifestRow, rows_of
from vidal.storage import layout, scratch
from vidal.storage.storage import Storage
from vidal.train.settings import Modality
from vidal.train.training_samples import PATHS, committed_shards

_VIEWS = ("title", "enhanced", "video", "sound")


def manifest(folder: Path) -> Benchmark:
    """Reads a vidal dataset.

    A clip's text is the first that the clip has of these: title, enhanced caption, video caption, sound caption. A clip that has none of
    these texts is left out. A duplicate of another clip is also left out.
    """
    storage, samples = Storage(str(folder)), list[Sample]()
    for shard in committed_shards(storage):
        table = storage.read_table(layout.manifest(shard))
        for row in rows_of(table, ManifestRow):
            if row["duplicate_of"] is None and (texts := _texts(row)):
                samples.append(
                    Sample(row["clip_id"], dict(_media(storage, row)), texts, depth_kind=row["depth_kind"] or "")
                )
    return Benchmark(samples, is_mixed=True)


def captions(folder: Path) -> Benchmark:
    """Reads captions.jsonl, where each line is {"file": path in the folder, "captions": [...]}, and the media files that it names."""
    path = files.annotation(folder, "captions.jsonl", "*captions.jsonl")
    samples, missing = list[Sample](), list[str]()
    for number, line in enumerate(files.lines(path), 1):
        name, texts = _entry(path, number, line)
        media = next((place for base in (folder, path.parent, folder.parent) if (place := base / name).is_file()), None)
        if media is None:
            missing.append(name)
        else:
            samples.append(Sample(name, {modality: media for modality in _shown(media)}, texts))
    return Benchmark(samples, missing=missing)


def folders(folder: Path) -> Benchmark:
    """Reads pictures, in one folder per class."""
    return class_folders(folder, Modality.IMAGE, pictures("photo"), needs="test/CLASS/")


def _texts(row: ManifestRow) -> tuple[str, ...]:
    texts = {each["view"]: each["text"] for each in reversed(row["captions"]) if each["text"].strip()}
    return next(((texts[view],) for view in _VIEWS if view in texts), ())


def _media(storage: Storage, row: ManifestRow) -> Iterator[tuple[Modality, Any]]:
    columns: Mapping[str, object] = row
    for modality, name in PATHS.items():
        if places := tuple(_place(storage, path) for path in _paths(columns[name])):
            yield modality, places if isinstance(columns[name], list) else places[0]


def _paths(value: object) -> list[str]:
    """Returns the paths in a cell of the manifest, which is a list of paths, a single path, or None."""
    return [str(path) for path in value] if isinstance(value, list) else [str(value)] if value else []


def _place(storage: Storage, name: str) -> str:
    """Returns a local path of a file of the dataset.

    A remote file, or one in a tar, is copied first; the copy is removed when this process ends.
    """
    if storage.is_local and not layout.split_chained(name):
        return storage.path(name)
    copy = _copies() / name.replace("/", "-").replace(":", "-")
    if not copy.exists():
        copy.write_bytes(storage.read(name))
    return str(copy)


@functools.cache
def _copies() -> Path:
    folder = scratch.create("evaluate")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _entry(path: Path, number: int, line: str) -> tuple[str, tuple[str, ...]]:
    import json

    try:
        entry = json.loads(line)
        texts = tuple(text for text in entry["captions"] if text.strip())
        if not texts:
            raise ValueError("no caption")
        return str(entry["file"]), texts
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(
            f'{path} line {number} ({error!r}): each line must be {{"file": ..., "captions": [...]}}'
        ) from error


def _shown(path: Path) -> tuple[Modality, ...]:
    extension = path.suffix.lower()
    if extension in files.VIDEO:
        return Modality.VIDEO, Modality.AUDIO, Modality.IMAGE
    if extension in files.SOUND:
        return (Modality.AUDIO,)
    return Modality.IMAGE, Modality.INFRARED
