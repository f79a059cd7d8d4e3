"""Validates a dataset: checks every row and every hash, tries to decode every file, and checks whether the ledger fits the manifest.

Pictures and FLAC files are decoded as a whole. Of other media files, such as videos, only the end is decoded.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from PIL import Image, UnidentifiedImageError

from vidal import ids, schema
from vidal.dataset.dataset_file import read_dataset_or_fail
from vidal.dataset.media_columns import FRAMES, media_files, paths_in, per_frame_columns
from vidal.errors import BalanceError, DamagedError, RecordError, UserError
from vidal.media import limited
from vidal.media.hashing import phash
from vidal.media.probe import probe
from vidal.media.settings import Decoding
from vidal.media.sound import read_mono
from vidal.pipeline import ledger
from vidal.records import LedgerRow, ManifestRow, rows_of
from vidal.schema import Kind, Status, Subject, View
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import view_names
from vidal.storage import layout
from vidal.storage.storage import Storage

MAX_PIXELS = 2**31
_LIMITS = Decoding().limits()


def validate(out: str) -> tuple[int, list[str]]:
    """Returns how many rows were checked, and a line for each problem. Raises UserError if `out` is not a dataset or has no shard."""
    storage = Storage(out)
    read_dataset_or_fail(storage)
    shards = layout.shards_in(storage.names(""))
    if not shards:
        raise UserError(f"{out} has no committed shard yet: run vidal build-shard first")
    count, problems = 0, list[str]()
    kept_in: dict[str, int] = {}
    for shard in shards:
        table = storage.read_table(layout.manifest(shard))
        if not _is_manifest(table.schema):
            problems.append(
                f"{layout.manifest(shard)}: its columns are not those of schema version {schema.SCHEMA_VERSION}"
            )
            continue
        rows = rows_of(table, ManifestRow)
        count += len(rows)
        problems += _shard_problems(storage, shard, rows, kept_in)
    return count, problems


def _is_manifest(columns: pa.Schema) -> bool:
    """Returns whether a file has the columns of a manifest. Columns of views from other packages may follow them."""
    contract = manifest_schema({})
    own = [field for field in columns if field.name != "scores"][: len(contract) - 1]
    return own == [field for field in contract if field.name != "scores"] and _are_scores(columns)


def _are_scores(columns: pa.Schema) -> bool:
    """Returns whether the column `scores` holds numbers. The names of the scores are not checked: they depend on the recipe's views."""
    if "scores" not in columns.names:
        return False
    kind = columns.field("scores").type
    return pa.types.is_struct(kind) and all(pa.types.is_float64(kind.field(i).type) for i in range(kind.num_fields))


def _shard_problems(storage: Storage, shard: int, rows: list[ManifestRow], kept_in: dict[str, int]) -> Iterator[str]:
    """Yields the problems of a shard.

    kept_in: for each clip that a lower shard keeps, the number of that shard. This function adds the clips that this shard keeps.
    """
    lines = storage.read(layout.media_sums(shard)).decode().splitlines()
    sums = {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}
    for row in rows:
        for problem in (*_copy_problems(row, shard, kept_in), *_row_problems(storage, row, sums)):
            yield f"clip {row['clip_id']}: {problem}"
    for problem in _ledger_problems(storage, shard, rows):
        yield f"{layout.ledger(shard)}: {problem}"


def _copy_problems(row: ManifestRow, shard: int, kept_in: dict[str, int]) -> Iterator[str]:
    """Yields a problem if the row does not fit the rows that were checked before it.

    An original is a row without `duplicate_of`. Two originals must not have the same clip id. In any other row, `duplicate_of` must be
    the clip id of an original that was checked before.

    kept_in: the shard of each original that was checked before, by clip id. If this row is an original, the function adds it.
    """
    if row["duplicate_of"] is None:
        if row["clip_id"] in kept_in:
            yield f"is in shards {kept_in[row['clip_id']]} and {shard}"
        kept_in[row["clip_id"]] = shard
    elif row["duplicate_of"] not in kept_in:
        yield f"duplicate_of {row['duplicate_of']} is not kept in a lower shard"


def _row_problems(storage: Storage, row: ManifestRow, sums: dict[str, str]) -> Iterator[str]:
    main = row["video_path"] if row["kind"] == Kind.VIDEO.value else row["audio_path"]
    if not main or row["sha256"] != sums.get(main):
        yield "sha256 is not the hash of its file"
    if len(row["frame_times_s"]) != len(row["frame_paths"]):
        yield "frame_times_s and frame_paths differ in length"
    columns: Mapping[str, object] = row  # A view of another package may have added columns.
    for column in per_frame_columns(columns):
        if len(paths_in(columns, column)) not in (0, len(row["frame_paths"])):
            yield f"{column} and {FRAMES} differ in length"
    for caption in row["captions"]:
        frame = caption["frame"]
        if caption["view"] == View.KEYFRAME.value and frame is not None and not 0 <= frame < len(row["frame_paths"]):
            yield f"a keyframe caption names frame {frame}, but the clip has {len(row['frame_paths'])} frames"
    for name in media_files(row):
        yield from _file_problems(storage, name, sums)
    yield from _phash_problems(storage, row)


def _phash_problems(storage: Storage, row: ManifestRow) -> Iterator[str]:
    if not row["phash"]:
        return
    try:
        if phash([Image.open(io.BytesIO(storage.read(name))) for name in row["frame_paths"]]) != row["phash"]:
            yield "phash is not the hash of its frames"
    except (DamagedError, OSError, UnidentifiedImageError):
        pass  # A frame that does not open is reported as a problem of its file.


def _file_problems(storage: Storage, name: str, sums: dict[str, str]) -> Iterator[str]:
    try:
        with storage.local(name) as path:  # One local copy for both checks, so that an object store is asked once.
            if ids.sha256(path.read_bytes()) != sums.get(name):
                yield f"{name} has another sha256 than the dataset states"
            _decode(path)
    except FileNotFoundError:
        yield f"{name} is missing"
    except DamagedError as error:
        yield f"{name}: {error}"
    except (RecordError, OSError, UnidentifiedImageError) as error:
        yield f"{name} does not decode: {error}"


def _decode(path: Path) -> None:
    if path.suffix in (".jpg", ".png", ".webp"):
        with Image.open(path) as image:
            np.asarray(image)
    elif path.suffix == ".flac":
        limited.call(_LIMITS, read_mono, path, 16_000)
    else:
        limited.call(_LIMITS, probe, path, max_pixels=MAX_PIXELS)


def _ledger_problems(storage: Storage, shard: int, rows: list[ManifestRow]) -> Iterator[str]:
    outcomes = rows_of(storage.read_table(layout.ledger(shard)), LedgerRow)
    clips = {row["clip_id"] for row in rows}
    clips_kept = {
        outcome["id"]
        for outcome in outcomes
        if outcome["subject"] == Subject.CLIP.value and outcome["status"] == Status.KEPT.value
    }
    if clips_kept != clips:
        yield f"its kept clips are not those of the manifest: it has {len(clips_kept)}, and the manifest {len(clips)}"
    try:
        ledger.check_terminal(outcomes)
        ledger.check_views(clips, outcomes, view_names())
    except BalanceError as error:
        yield str(error)
