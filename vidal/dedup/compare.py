"""Compares clips in every way that a recipe asks for: by pictures, by sound, and by embeddings."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from vidal.dedup.bit_sampling import Hashes
from vidal.dedup.joins import Places
from vidal.dedup.pairs import Pairs
from vidal.dedup.pictures import Pictures, near_pictures
from vidal.dedup.settings import Duplicates
from vidal.dedup.sounds import Sounds, near_sounds
from vidal.dedup.vectors import Vectors, near_vectors
from vidal.media.arrays import Float32Array, UInt8Array
from vidal.media.hashing import Signature, motion_hashes
from vidal.records import SignedRow
from vidal.schema import Kind

Column = Literal["embedding", "audio_embedding"]
VECTORS: tuple[Column, ...] = ("embedding", "audio_embedding")
# The centres of the cells (see vidal.dedup.vectors), by column and length of the vectors.
Cells = Mapping[tuple[Column, int], Float32Array]
# With fewer pairs of clips, all are compared: this takes seconds, and misses none.
_ALL_PAIRS_MAX = 4_000_000


@dataclass(frozen=True)
class Signed:
    """The signatures of `count` clips: the data that are compared to find copies.

    pictures: grouped by the number of frames. vectors: grouped by the column that holds them ("embedding" or "audio_embedding") and by
    their length.
    """

    count: int
    pictures: dict[int, Pictures] = field(default_factory=dict)
    sounds: Sounds = field(default_factory=lambda: Sounds(np.zeros(0, np.int64), []))
    vectors: dict[tuple[Column, int], Vectors] = field(default_factory=dict)


def signed(rows: Sequence[SignedRow], first: int = 0) -> Signed:
    """Returns the signatures of clips, that is, the data that are compared to find copies.

    rows: one per clip. The clips are numbered from `first`, in the order of the rows.
    """
    numbers = np.arange(first, first + len(rows))
    own = [Signature.from_bytes(row["signature"]) if row["signature"] else None for row in rows]
    sounds = [fingerprint_of(row) for row in rows]
    heard = [place for place, values in enumerate(sounds) if values is not None]
    return Signed(
        len(rows),
        {count: _pictures(own, numbers, count) for count in {len(each.thumbs) for each in own if each}},
        Sounds(numbers[heard], [values for values in sounds if values is not None]),
        {
            key: _vectors(rows, numbers, *key)
            for key in {(c, len(row[c] or ())) for row in rows for c in VECTORS}
            if key[1]
        },
    )


def fingerprint_of(row: SignedRow) -> np.ndarray | None:
    """Returns the fingerprint of a sound, (n,) uint32; None if the sound has none, such as silence.

    Also returns None for every video: many videos share a tune, so a common sound does not make them copies.
    """
    fingerprint = row["audio_fingerprint"] if row["kind"] == Kind.AUDIO.value else None
    return np.frombuffer(fingerprint, "<u4") if fingerprint else None


def _pictures(signatures: list[Signature | None], numbers: Places, count: int) -> Pictures:
    chosen = [
        (number, each) for number, each in zip(numbers, signatures, strict=True) if each and len(each.thumbs) == count
    ]
    thumbs: UInt8Array = np.stack([each.thumbs for _, each in chosen])
    hashes = Hashes(np.stack([each.hashes for _, each in chosen]), motion_hashes(thumbs))
    return Pictures(np.array([number for number, _ in chosen]), hashes, thumbs.__getitem__)


def _vectors(rows: Sequence[SignedRow], numbers: Places, column: Column, width: int) -> Vectors:
    places = [place for place, row in enumerate(rows) if len(row[column] or ()) == width]
    return Vectors(numbers[places], np.array([rows[place][column] for place in places], np.float32))


def compare(
    own: Signed, other: Signed | None, settings: Duplicates, *, indexed: bool | None = None, cells: Cells | None = None
) -> Pairs:
    """Returns the pairs of clips that are alike. They are sorted by `later`, the higher of the two numbers of a pair.

    other: None compares `own` with itself.
    indexed: True compares pictures only for the pairs that an index of hashes chooses (see vidal.dedup.bit_sampling). False compares
    the pictures of all pairs. None means True if there are many pairs, else False. To compare a dataset piece by piece, pass True: the
    result then does not depend on the sizes of the pieces.
    cells: the centres of the cells into which embeddings are divided (see vidal.dedup.vectors). Only embeddings with a cell in common are
    compared. None compares all embeddings.
    """
    if indexed is None:
        indexed = own.count * (own.count if other is None else other.count) > _ALL_PAIRS_MAX
    alike: list[Pairs] = []
    if settings.near:
        for count, pictures in own.pictures.items():
            if other is None or count in other.pictures:
                known = None if other is None else other.pictures[count]
                alike.append(near_pictures(pictures, known, settings, indexed=indexed))
        alike.append(near_sounds(own.sounds, None if other is None else other.sounds, settings.audio_max_difference))
    if settings.semantic is not None:
        for key, vectors in own.vectors.items():
            if other is None or key in other.vectors:
                known_vectors = None if other is None else other.vectors[key]
                centres = (cells or {}).get(key)
                alike.append(near_vectors(key[0], vectors, known_vectors, settings.semantic, centres))
    return Pairs.joined(alike)


def nearest_of(pairs: Pairs, excluded: Container[int] = ()) -> dict[int, int]:
    """Returns the clips that are copies, as {number of the copy: index of its pair}.

    The later clip of a pair is a copy of the earlier clip. But the pair is ignored if its earlier clip is itself a copy. If a clip is the
    later clip of several pairs that are not ignored, the first of these pairs counts.

    pairs: sorted by the later clip, as Pairs.joined returns them. excluded: numbers of clips whose pairs are ignored too.
    """
    nearest: dict[int, int] = {}
    for place, (later, earlier) in enumerate(zip(pairs.later.tolist(), pairs.earlier.tolist(), strict=True)):
        if later not in nearest and earlier not in nearest and later not in excluded and earlier not in excluded:
            nearest[later] = place
    return nearest
