"""Exports a dataset to the layouts that other loaders read. The dict FORMATS names, for each format, the function that writes rows."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from vidal.dataset.dataset_file import read_dataset_or_fail
from vidal.errors import UserError
from vidal.records import ManifestRow, rows_of
from vidal.storage import layout
from vidal.storage.storage import Storage

FORMATS = {
    "hf": "vidal.export.huggingface:write",
    "languagebind": "vidal.export.languagebind:write",
    "webdataset": "vidal.export.webdataset:write",
}
Rows = Iterator[ManifestRow]


@dataclass
class Exported:
    """The result of an export.

    clips: how many were written. incomplete: how many of these lack a text that the format has a field for; 0 for the format "hf".
    not_millimetres: how many have depth in another unit. It is counted only for the format "languagebind", whose loader assumes
    millimetres. left_out: how many clips were not written, by the reason: "duplicate" or "of_evaluation_set".
    """

    clips: int = 0
    incomplete: int = 0
    not_millimetres: int = 0
    left_out: dict[str, int] = field(default_factory=dict)


def export(out: str, format_: str, target: Path) -> Exported:
    """Writes the clips of the dataset `out` to the folder `target`. format_: a key of FORMATS.

    Copies of other clips and clips of evaluation sets are left out, as in training.

    Raises UserError if `out` is not a dataset, or if `target` already holds files.
    """
    storage = Storage(out)
    read_dataset_or_fail(storage)
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} holds files: choose an empty or new folder")
    target.mkdir(parents=True, exist_ok=True)
    module, _, name = FORMATS[format_].partition(":")
    write: Callable[[Storage, Rows, Path], Exported] = getattr(importlib.import_module(module), name)
    left_out: Counter[str] = Counter()
    exported = write(storage, _rows(storage, left_out), target)
    exported.left_out = dict(left_out)
    return exported


def by_split(rows: Rows) -> Rows:
    """Yields the rows shard by shard, and the rows of a shard split by split."""
    for _, group in groupby(rows, key=lambda row: row["shard"]):
        yield from sorted(group, key=lambda row: row["split"])


def _rows(storage: Storage, left_out: Counter[str]) -> Rows:
    """Yields the rows of a dataset except duplicates and clips of evaluation sets, one shard after the other.

    left_out: counts the rows that are not yielded, by the reason. Memory holds one shard at a time.
    """
    for shard in layout.shards_in(storage.names("")):
        for row in rows_of(storage.read_table(layout.manifest(shard)), ManifestRow):
            if row["duplicate_of"] is not None:
                left_out["duplicate"] += 1
            elif row["contaminates"]:
                left_out["of_evaluation_set"] += 1
            else:
                yield row
