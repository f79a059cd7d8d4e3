"""Hugging Face: Parquet files that hold the media themselves, with the features that `datasets` reads, and a dataset card."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import jinja2
import pyarrow as pa
import pyarrow.parquet as pq

from vidal.export.export import Exported, Rows
from vidal.pipeline.stage import Record
from vidal.schema import MANIFEST, map_dict
from vidal.storage.storage import Storage, shard_name

ROWS = 8  # A row group, and so what is in memory at a time.
_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
# Columns of media by the manifest's columns of paths. Sound and film are not decoded unless the reader casts them: that needs
# a decoder which `datasets` does not bring along.
_LISTS = {"frame_paths": "frames", "depth_paths": "depth", "infrared_paths": "infrared"}
_SINGLE = {"audio_path": ("audio", "Audio"), "video_path": ("video", "Video")}
_MAPS = ("scores", "extra")
_SIZES = ((1000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))


def write(storage: Storage, rows: Rows, target: Path) -> Exported:
    """One file a shard, in data/. scores and extra are JSON."""
    done, licences, hours = Exported(), Counter[str](), 0.0
    schema = _schema()
    for shard, group in groupby(rows, key=lambda row: row["shard"]):
        path = target / "data" / f"{shard_name(shard)}.parquet"
        path.parent.mkdir(exist_ok=True)
        with pq.ParquetWriter(path, schema, compression="zstd") as file:
            for batch in _batches(group):
                file.write_table(pa.Table.from_pylist([_row(storage, row) for row in batch], schema=schema))
                done.clips += len(batch)
                licences.update(row["licence"] or "not stated" for row in batch)
                hours += sum(row["duration_s"] or 0 for row in batch) / 3600
    (target / "README.md").write_text(_card(done.clips, hours, licences), encoding="utf-8")
    return done


def _batches(rows: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(rows, ROWS)):
        yield batch


def _row(storage: Storage, row: Record) -> Record:
    def media(path: str) -> Record:
        return {"bytes": storage.read(path), "path": "-".join(path.split("/")[-2:])}

    made = {key: value for key, value in row.items() if key not in _LISTS and key not in _SINGLE}
    made |= {key: json.dumps(map_dict(row[key]), ensure_ascii=False, sort_keys=True) for key in _MAPS}
    made |= {name: [media(path) for path in row[paths]] for paths, name in _LISTS.items()}
    return made | {name: media(row[path]) if row[path] else None for path, (name, _) in _SINGLE.items()}


def _schema() -> pa.Schema:
    fields, features = list[pa.Field](), dict[str, Any]()
    for field in MANIFEST:
        if field.name in _LISTS:
            fields.append(pa.field(_LISTS[field.name], pa.list_(_MEDIA)))
            features[_LISTS[field.name]] = {"feature": {"_type": "Image"}, "_type": "List"}
        elif field.name in _SINGLE:
            name, kind = _SINGLE[field.name]
            fields.append(pa.field(name, _MEDIA))
            features[name] = {"_type": kind, "decode": False}
        else:
            fields.append(pa.field(field.name, pa.string() if field.name in _MAPS else field.type))
            features[field.name] = _feature(fields[-1].type)
    return pa.schema(fields, metadata={"huggingface": json.dumps({"info": {"features": features}})})


def _feature(kind: pa.DataType) -> Any:
    """As `datasets` writes them."""
    if pa.types.is_list(kind):
        return {"feature": _feature(kind.value_type), "_type": "List"}
    if pa.types.is_struct(kind):
        return {kind.field(i).name: _feature(kind.field(i).type) for i in range(kind.num_fields)}
    return {"dtype": {"double": "float64"}.get(str(kind), str(kind)), "_type": "Value"}


def _card(clips: int, hours: float, licences: Counter[str]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vidal.export", "."), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    # What a page says of its licence is untrusted: it must not end the table, or the card.
    told = [(" ".join(name.replace("|", "/").split())[:80], count) for name, count in licences.most_common()]
    size = next((name for bound, name in _SIZES if clips < bound), "1M<n<10M")
    return environment.get_template("card.md.j2").render(clips=clips, hours=hours, licences=told, size=size)
