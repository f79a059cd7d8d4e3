"""Hugging Face: Parquet files that contain the media, with the features that `datasets` reads, and a dataset card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any, TypedDict

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq

from vidal.dataset.media_columns import FRAMES, paths_in, per_frame_columns, single_columns
from vidal.export.export import Exported, Rows, by_split
from vidal.records import ManifestRow
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage import layout
from vidal.storage.storage import Storage

ROWS = 8  # The rows of a row group, which are in memory together.
_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Sounds and videos are not decoded unless the reader casts them: decoding needs a package that `datasets` does not install.
_FEATURES = {"audio": "Audio", "video": "Video"}
_SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


class Media(TypedDict):
    """A file as `datasets` stores it."""

    bytes: bytes
    path: str


def write(storage: Storage, rows: Rows, target: Path) -> Exported:
    """Writes a file for each split of each shard. `datasets` recognises the splits by the names of the files."""
    done, licences, hours = Exported(), Counter[str](), 0.0
    schema = _schema()
    for (shard, split), group in groupby(by_split(rows), key=lambda row: (row["shard"], row["split"])):
        path = target / "data" / f"{split}-{shard:05d}.parquet"
        path.parent.mkdir(exist_ok=True)
        with pq.ParquetWriter(path, schema, compression="zstd") as file:
            for batch in _batches(group):
                file.write_table(pa.Table.from_pylist([_row(storage, row) for row in batch], schema=schema))
                done.clips += len(batch)
                licences.update(row["licence"] or "not stated" for row in batch)
                hours += sum(row["duration_s"] or 0 for row in batch) / 3600
    (target / "README.md").write_text(_card(done.clips, hours, licences), encoding="utf-8")
    return done


def _batches(rows: Iterator[ManifestRow]) -> Iterator[list[ManifestRow]]:
    while batch := list(islice(rows, ROWS)):
        yield batch


def _media_name(column: str) -> str:
    """Returns the name of the column of media for a column of paths: "frames" for "frame_paths", "depth" for "depth_paths"."""
    return "frames" if column == FRAMES else column.removesuffix("_paths").removesuffix("_path")


def _file_name(path: str) -> str:
    """Returns the name to store with a media file. It contains the id of the clip."""
    return layout.file_name(path) if layout.split_chained(path) else "-".join(path.split("/")[-2:])


def _row(storage: Storage, row: ManifestRow) -> dict[str, object]:
    """Returns the row with the media in place of their paths."""

    def media(path: str) -> Media:
        return {"bytes": storage.read(path), "path": _file_name(path)}

    columns: dict[str, object] = dict(row)
    single, per_frame = single_columns(columns), per_frame_columns(columns)
    exported = {name: value for name, value in columns.items() if name not in {*single, *per_frame}}
    for name in per_frame:
        exported[_media_name(name)] = [media(path) for path in paths_in(columns, name)]
    for name in single:
        exported[_media_name(name)] = next(map(media, paths_in(columns, name)), None)
    return exported


def _schema() -> pa.Schema:
    fields = [_field(field) for field in manifest_schema(VIEWS)]
    features = {field.name: feature for field, feature in fields}
    return pa.schema(
        [field for field, _ in fields], metadata={"huggingface": json.dumps({"info": {"features": features}})}
    )


def _field(field: pa.Field) -> tuple[pa.Field, Any]:
    """Returns the exported column for a column of the manifest, and its feature."""
    name = _media_name(field.name)
    if per_frame_columns([field.name]):
        return pa.field(name, pa.list_(_MEDIA)), {"feature": {"_type": "Image"}, "_type": "List"}
    if single_columns([field.name]):
        return pa.field(name, _MEDIA), {"_type": _FEATURES[name], "decode": False}
    return field, _feature(field.type)


def _feature(kind: pa.DataType) -> Any:
    """Returns the feature of a column, as the library `datasets` describes it."""
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _feature(kind.field(i).type) for i in range(kind.num_fields)}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def _card(clips: int, hours: float, licences: Counter[str]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vidal.export", "."), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    # The licence on a page is untrusted text: it must not break the table or the card.
    names = [(" ".join(name.replace("|", "/").split())[:80], count) for name, count in licences.most_common()]
    size = next((name for bound, name in _SIZES if clips < bound), "1M<n<10M")
    return environment.get_template("card.md.j2").render(clips=clips, hours=hours, licences=names, size=size)
