"""Validation: every row is reopened, every file decoded, every hash checked, and the ledger held against the manifest."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from vidal import ids, schema
from vidal.dataset.commit import DATASET, ledger_name, manifest_name, sums_name
from vidal.errors import BalanceError, RecordError, UserError
from vidal.media.hashing import phash
from vidal.media.probe import probe
from vidal.media.sound import read_mono
from vidal.pipeline import ledger
from vidal.pipeline.stage import Record
from vidal.schema import Kind, Status, Subject, View
from vidal.storage.storage import Storage

MAX_PIXELS = 2**31


def validate(out: str) -> tuple[int, list[str]]:
    """(rows checked, problems). Raises UserError where OUT is not a dataset."""
    storage = Storage(out)
    if not storage.exists(DATASET):
        raise UserError(f"{out} is not a vidal dataset: it has no {DATASET}")
    shards = [int(name[6:-8]) for name in storage.names("") if name.startswith("shard-") and name.endswith(".parquet")]
    if not shards:
        raise UserError(f"{out} has no shard yet: run vidal build-shard first")
    count, problems = 0, []
    seen: dict[str, int] = {}
    for shard in shards:
        table = storage.read_table(manifest_name(shard))
        if not table.schema.remove_metadata().equals(schema.MANIFEST):
            problems.append(f"{manifest_name(shard)}: the schema is not version {schema.SCHEMA_VERSION}")
            continue
        rows = table.to_pylist()
        count += len(rows)
        sums = _sums(storage, shard)
        for row in rows:
            if row["clip_id"] in seen and row["duplicate_of"] is None:
                problems.append(f"clip {row['clip_id']}: stands in shard {seen[row['clip_id']]} and {shard}")
            if row["duplicate_of"] is None:
                seen[row["clip_id"]] = shard
            elif row["duplicate_of"] not in seen:
                problems.append(
                    f"clip {row['clip_id']}: duplicate_of {row['duplicate_of']} is not kept in a lower shard"
                )
            problems += [f"clip {row['clip_id']}: {problem}" for problem in _row(storage, row, sums)]
        problems += [f"{ledger_name(shard)}: {problem}" for problem in _ledger(storage, shard, rows)]
    return count, problems


def _sums(storage: Storage, shard: int) -> dict[str, str]:
    lines = storage.read(sums_name(shard)).decode().splitlines()
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}


def _row(storage: Storage, row: Record, sums: dict[str, str]) -> Iterator[str]:
    main = row["video_path"] if row["kind"] == Kind.VIDEO.value else row["audio_path"]
    if not main or row["sha256"] != sums.get(main):
        yield "sha256 is not that of its file"
    if len(row["frame_times_s"]) != len(row["frame_paths"]):
        yield "frame_times_s and frame_paths differ in length"
    for view in ("depth_paths", "infrared_paths"):
        if row[view] and len(row[view]) != len(row["frame_paths"]):
            yield f"{view} and frame_paths differ in length"
    for each in row["captions"]:
        if each["view"] == View.KEYFRAME.value and not 0 <= each["frame"] < len(row["frame_paths"]):
            yield f"a keyframe caption names frame {each['frame']}"
    for name in filter(
        None, [row["video_path"], row["audio_path"], *row["frame_paths"], *row["depth_paths"], *row["infrared_paths"]]
    ):
        yield from _file(storage, name, sums)
    if row["phash"]:
        try:
            if phash([Image.open(io.BytesIO(storage.read(name))) for name in row["frame_paths"]]) != row["phash"]:
                yield "phash is not that of its frames"
        except (OSError, UnidentifiedImageError):
            pass  # The file is named above.


def _file(storage: Storage, name: str, sums: dict[str, str]) -> Iterator[str]:
    try:
        with storage.local(name) as path:  # One copy for both checks: an object store is asked once.
            if ids.sha256(path.read_bytes()) != sums.get(name):
                yield f"{name} has another sha256"
            _decode(path)
    except FileNotFoundError:
        yield f"{name} is missing"
    except (RecordError, OSError, UnidentifiedImageError) as error:
        yield f"{name} does not decode: {error}"


def _decode(path: Path) -> None:
    if path.suffix in (".jpg", ".png"):
        with Image.open(path) as image:
            np.asarray(image)
    elif path.suffix == ".flac":
        read_mono(path, 16_000)
    else:
        probe(path, max_pixels=MAX_PIXELS)


def _ledger(storage: Storage, shard: int, rows: list[Record]) -> Iterator[str]:
    entries = storage.read_table(ledger_name(shard)).to_pylist()
    clips = {row["clip_id"] for row in rows}
    kept = {e["id"] for e in entries if e["subject"] == Subject.CLIP.value and e["status"] == Status.KEPT.value}
    if kept != clips:
        yield f"{len(kept)} clips are kept, the manifest has {len(clips)}"
    try:
        ledger.check_terminal(entries)
        ledger.check_views(clips, entries)
    except BalanceError as error:
        yield str(error)
