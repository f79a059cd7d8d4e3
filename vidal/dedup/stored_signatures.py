"""Stores the signatures of the kept clips, one file per shard, to find copies across shards.

A signature consists of hashes, thumbnails, a fingerprint of the sound, and embeddings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import cast

import numpy as np
import pyarrow as pa

from vidal.dedup.bit_sampling import Hashes
from vidal.dedup.compare import VECTORS, Column, Signed
from vidal.dedup.joins import Places
from vidal.dedup.pictures import Pictures
from vidal.dedup.sounds import Sounds
from vidal.dedup.vectors import Vectors
from vidal.media.arrays import Float32Array, UInt8Array, UInt64Array
from vidal.media.hashing import MIDDLES, THUMB, Signature, motion_hashes
from vidal.schema import STR, Kind
from vidal.storage import layout
from vidal.storage.storage import Storage

# The rows are in the order of the candidates of the shard. What a clip does not have, such as the hashes of a sound, is null or empty.
SCHEMA = pa.schema(
    [
        ("clip_id", STR),
        ("kind", STR),
        ("source_sha256", STR),
        ("start_s", pa.float64()),
        ("duration_s", pa.float64()),
        ("split", STR),
        ("hashes", pa.binary()),
        ("motion_hashes", pa.binary()),
        ("thumbs", pa.binary()),
        ("audio_fingerprint", pa.binary()),
        ("embedding", pa.list_(pa.float32())),
        ("audio_embedding", pa.list_(pa.float32())),
    ]
)
_PICTURES = ["hashes", "motion_hashes", "thumbs"]
_COMPARED = ["kind", "hashes", "motion_hashes", "audio_fingerprint"]
# The number of a clip is the number of its shard times SHARD_ROWS, plus its row. An earlier clip has a lower number.
SHARD_ROWS = 2**32


def write_signatures(storage: Storage, shard: int, rows: Sequence[Mapping[str, object]]) -> None:
    """Stores the signatures of the kept clips of a shard. rows: an AssembledRow for each clip, in the order of the candidates."""
    kept = [name for name in SCHEMA.names if name not in _PICTURES]
    whole = [
        {**{name: row[name] for name in kept}, **_pictures(cast("bytes | None", row["signature"]))} for row in rows
    ]
    storage.write_table(layout.signatures(shard), pa.Table.from_pylist(whole, SCHEMA))


def _pictures(signature: bytes | None) -> dict[str, bytes | None]:
    if not signature:
        return dict.fromkeys(_PICTURES)
    own = Signature.from_bytes(signature)
    hashes = np.ascontiguousarray(own.hashes, "<u8").tobytes()
    return {
        "hashes": hashes,
        "motion_hashes": motion_hashes(own.thumbs[None]).tobytes(),
        "thumbs": own.thumbs.tobytes(),
    }


def upgrade(storage: Storage, shards: Iterable[int]) -> None:
    """Converts the signature files that an earlier version of vidal stored for these shards to the present format."""
    for shard in shards:
        table = storage.read_table(layout.earlier_signatures(shard))
        columns = dict.fromkeys([*SCHEMA.names, "signature"])  # The oldest have fewer columns.
        write_signatures(storage, shard, [{**columns, **row} for row in table.to_pylist()])
        storage.remove(layout.earlier_signatures(shard))


def read_signatures(storage: Storage, shards: Sequence[int], *, with_vectors: bool) -> Signed:
    """Reads the signatures of the clips of some shards. The thumbnails of a clip are only read when they are compared.

    with_vectors: whether embeddings are read too.
    """
    names = [*_COMPARED, *(VECTORS if with_vectors else ())]
    tables = [storage.read_columns(layout.signatures(shard), names) for shard in shards]
    numbers = np.concatenate([_numbers(shard, len(table)) for shard, table in zip(shards, tables, strict=True)])
    table = pa.concat_tables(tables)
    counts = pa.compute.binary_length(table["motion_hashes"]).fill_null(0).to_numpy() // 8
    is_sound = pa.compute.equal(table["kind"], Kind.AUDIO.value).to_numpy() & _is_filled(table["audio_fingerprint"])
    values = [np.frombuffer(each, "<u4") for each in table["audio_fingerprint"].filter(pa.array(is_sound)).to_pylist()]
    return Signed(
        len(table),
        {int(n): _same_length(storage, table, numbers, counts == n, int(n)) for n in np.unique(counts) if n},
        Sounds(numbers[is_sound], values),
        {
            (column, width): _vectors(table[column], numbers, widths == width)
            for column in (VECTORS if with_vectors else ())
            for widths in [pa.compute.list_value_length(table[column]).fill_null(0).to_numpy()]
            for width in np.unique(widths[widths > 0]).tolist()
        },
    )


def _numbers(shard: int, count: int) -> Places:
    """Returns the numbers of the first `count` clips of a shard. A number gives the shard of a clip and its row in the shard's file."""
    return shard * SHARD_ROWS + np.arange(count)


def _is_filled(column: pa.ChunkedArray) -> np.ndarray:
    lengths: np.ndarray = pa.compute.binary_length(column).fill_null(0).to_numpy()
    return lengths > 0


def _same_length(storage: Storage, table: pa.Table, numbers: Places, is_chosen: np.ndarray, count: int) -> Pictures:
    chosen = table.filter(pa.array(is_chosen))
    hashes = _joined(chosen["hashes"], np.uint64).reshape(-1, len(MIDDLES), count)
    motion = _joined(chosen["motion_hashes"], np.uint64).reshape(-1, count)
    own = numbers[is_chosen]

    def thumbs(places: Places) -> UInt8Array:
        return _thumbs(storage, own[places], count)

    return Pictures(own, Hashes(hashes, motion), thumbs)


def _joined(column: pa.ChunkedArray, dtype: type[np.generic]) -> UInt64Array:
    """Returns the bytes of all rows as one array of `dtype`, without making a Python object for each row."""
    parts = [np.frombuffer(_bytes_of(chunk), dtype) for chunk in column.chunks]
    joined: UInt64Array = np.concatenate(parts) if parts else np.zeros(0, dtype)
    return joined


def _bytes_of(chunk: pa.BinaryArray) -> memoryview:
    ends = np.frombuffer(chunk.buffers()[1], np.int32)
    start, end = ends[chunk.offset], ends[chunk.offset + len(chunk)]
    return memoryview(chunk.buffers()[2] or b"")[start:end]


def _thumbs(storage: Storage, numbers: Places, count: int) -> UInt8Array:
    """Returns the thumbnails of m clips with `count` frames each, (m, count, 256) uint8. Only one shard is in memory at a time.

    numbers: identify the clips, see _numbers.
    """
    thumbs = np.zeros((len(numbers), count, THUMB * THUMB), np.uint8)
    shards = numbers // SHARD_ROWS
    for shard in np.unique(shards).tolist():
        column = storage.read_columns(layout.signatures(shard), ["thumbs"])["thumbs"]
        places = np.flatnonzero(shards == shard)
        rows = column.take(pa.array(numbers[places] % SHARD_ROWS))
        thumbs[places] = _joined(rows, np.uint8).reshape(-1, count, THUMB * THUMB)
    return thumbs


def _vectors(column: pa.ChunkedArray, numbers: Places, is_chosen: np.ndarray) -> Vectors:
    chosen = column.filter(pa.array(is_chosen)).combine_chunks()
    values: Float32Array = chosen.flatten().to_numpy().reshape(int(is_chosen.sum()), -1)
    return Vectors(numbers[is_chosen], values)


def sample_vectors(storage: Storage, shards: Sequence[int], size: int) -> dict[tuple[Column, int], Float32Array]:
    """Returns the first `size` embeddings of each key, (size, w) float32. A key is (column, w); w is the length of the embeddings.

    The shards are read in order. Reading stops when every key that has occurred has `size` embeddings. If all shards together have
    fewer embeddings of a key, the key is left out.
    """
    held: dict[tuple[Column, int], list[Float32Array]] = {}
    for shard in shards:
        if held and all(sum(map(len, parts)) >= size for parts in held.values()):
            break
        for key, vectors in read_signatures(storage, [shard], with_vectors=True).vectors.items():
            held.setdefault(key, []).append(vectors.values)
    return {key: np.concatenate(parts)[:size] for key, parts in held.items() if sum(map(len, parts)) >= size}
