"""Finds the pairs of clips that are alike in a dataset. The pairs are stored, so later only new or changed shards are compared."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from vidal import ids
from vidal.dedup.compare import Cells, compare
from vidal.dedup.pairs import Pairs
from vidal.dedup.settings import Duplicates
from vidal.dedup.stored_signatures import SHARD_ROWS, read_signatures, sample_vectors
from vidal.dedup.vectors import SAMPLE, cell_centres
from vidal.storage import layout
from vidal.storage.storage import Storage

# Raise this with any change of the code that finds other copies from the same signatures and settings.
VERSION = 2
# The largest number of clips in a block of shards. A worker compares two blocks at a time, which takes 1 GB of memory.
BLOCK_CLIPS = 200_000

# Runs a function over items, in any order, as executors do.
Spread = Callable[[Callable[[Any], Any], list[Any]], Iterator[Any]]
# Opens the processes of a Spread. It is only called if there is more than one block.
Workers = Callable[[], AbstractContextManager[Spread]]
# By the number of a shard, a value that changes when its signatures are written again, see Storage.stamps.
Stamps = dict[int, str]
# Receives a line about the progress.
Say = Callable[[str], None]


@contextlib.contextmanager
def this_process() -> Iterator[Spread]:
    """A `Workers` that starts no processes. It yields Python's `map`. All clips are then compared in this process."""
    yield map


@dataclass(frozen=True)
class KnownPairs:
    """The pairs of alike clips in the shards that have been compared.

    compared: for each of these shards, the stamp of its signatures. The stamp of a file changes when the file is written again; the
    shard is then compared again.
    settings: a hash of the settings and of the cells, which are regions of the space of embeddings (see vidal.dedup.vectors). If the
    hash changes, all shards are compared again.
    """

    settings: str
    pairs: Pairs = field(default_factory=Pairs.none)
    compared: Stamps = field(default_factory=dict)


def identity(settings: Duplicates) -> str:
    """Returns a hash of the settings and the version of the code that decide which clips are alike."""
    return ids.fingerprint([VERSION, settings.model_dump(mode="json", exclude={"dataset_clips_max"})])


def find_pairs(
    storage: Storage, settings: Duplicates, stamps: Stamps, clips: Mapping[int, int], workers: Workers, say: Say
) -> Pairs:
    """Returns the pairs of clips of a dataset that are alike. Shards that were compared before are not compared with each other again.

    stamps: for each shard, a value that changes when its signatures are written again. clips: the number of clips of each shard. If the
    dataset is large, `workers` starts processes that compare the clips, and `say` receives a line for each block of shards. The pairs are
    stored after each block, so an interrupted comparison resumes.
    """
    centres = _cells(storage, settings, sorted(stamps))
    known = _unchanged(_read(storage), f"{identity(settings)} {_fingerprint(centres)}", stamps)
    new = _blocks([shard for shard in sorted(stamps) if shard not in known.compared], clips)
    is_large = len(new) > 1 or (new and len(_blocks(sorted(known.compared), clips)) > 1)
    with workers() if is_large else this_process() as spread:
        for block in new:
            if is_large:
                say(f"comparing {len(block)} shards with each other and with {len(known.compared)} compared before")
            others = [None, *_blocks(sorted(known.compared), clips)]
            pairs = Pairs.joined(
                [known.pairs, *spread(partial(_compare, storage.uri, settings, centres, block), others)]
            )
            compared = {**known.compared, **{shard: stamps[shard] for shard in block}}
            known = _write(storage, replace(known, pairs=pairs, compared=compared))
    return known.pairs


def _unchanged(known: KnownPairs, settings: str, stamps: Stamps) -> KnownPairs:
    """Returns the known pairs of the shards whose signatures have not changed. If the settings have changed, returns no pairs.

    settings: a hash of the present settings. stamps: the present stamps.
    """
    if known.settings != settings:
        return KnownPairs(settings)
    compared = {shard: stamp for shard, stamp in known.compared.items() if stamps.get(shard) == stamp}
    own = np.array(sorted(compared), np.int64)
    holds = np.isin(known.pairs.later // SHARD_ROWS, own) & np.isin(known.pairs.earlier // SHARD_ROWS, own)
    return replace(known, pairs=known.pairs.at(holds), compared=compared)


def _blocks(shards: Sequence[int], clips: Mapping[int, int]) -> list[list[int]]:
    """Returns the shards in blocks of at most BLOCK_CLIPS clips. A shard with more clips is a block of its own."""
    blocks: list[list[int]] = []
    held = 0
    for shard in shards:
        if not blocks or held + clips[shard] > BLOCK_CLIPS:
            blocks.append([])
            held = 0
        blocks[-1].append(shard)
        held += clips[shard]
    return blocks


def _compare(uri: str, settings: Duplicates, centres: Cells, block: list[int], other: list[int] | None) -> Pairs:
    storage, with_vectors = Storage(uri), settings.semantic is not None
    own = read_signatures(storage, block, with_vectors=with_vectors)
    known = None if other is None else read_signatures(storage, other, with_vectors=with_vectors)
    return compare(own, known, settings, indexed=True, cells=centres)


def _read(storage: Storage) -> KnownPairs:
    if storage.metadata_if_present(layout.PAIRS) is None:
        return KnownPairs("")
    stored = storage.metadata(layout.PAIRS)
    compared = {int(shard): stamp for shard, stamp in json.loads(stored["compared"]).items()}
    return KnownPairs(stored["settings"], Pairs.from_table(storage.read_table(layout.PAIRS)), compared)


def _write(storage: Storage, known: KnownPairs) -> KnownPairs:
    metadata = {"settings": known.settings, "compared": json.dumps(known.compared, sort_keys=True)}
    storage.write_table(layout.PAIRS, known.pairs.to_table(), metadata)
    return known


def _cells(storage: Storage, settings: Duplicates, shards: Sequence[int]) -> Cells:
    """Returns the centres of the cells (see vidal.dedup.vectors), by column and length of the embeddings.

    The dict is empty if the settings do not compare embeddings.
    """
    if settings.semantic is None:
        return {}
    samples = sample_vectors(storage, shards, SAMPLE)
    own = _fingerprint(samples)
    if (content := storage.read_if_present(layout.CELLS)) is not None:
        with np.load(io.BytesIO(content)) as stored:
            if str(stored["sample"]) == own:
                return {key: stored[f"{key[0]}-{key[1]}"] for key in samples}
    centres = {key: cell_centres(sample) for key, sample in samples.items()}
    buffer = io.BytesIO()
    named: dict[str, Any] = {f"{column}-{width}": values for (column, width), values in centres.items()}
    np.savez(buffer, sample=np.array(own), **named)
    # Stored, because another processor would compute slightly different centres.
    storage.write(layout.CELLS, buffer.getvalue())
    return centres


def _fingerprint(arrays: Cells) -> str:
    return ids.fingerprint([[*key, ids.sha256(values.tobytes())] for key, values in sorted(arrays.items())])
