"""Selects the clips of a dataset that a modality is trained on: those that have files of the modality and at least one usable caption."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from vidal.errors import UserError
from vidal.media.arrays import Float64Array, Int16Array
from vidal.storage import layout
from vidal.storage.storage import Storage
from vidal.train.settings import Modality, Train

PATHS = {
    Modality.VIDEO: "frame_paths",
    Modality.IMAGE: "frame_paths",
    Modality.DEPTH: "depth_paths",
    Modality.INFRARED: "infrared_paths",
    Modality.AUDIO: "audio_path",
}
IntArray = npt.NDArray[np.integer[Any]]
_COLUMNS = ["clip_id", "shard", "split", "captions", "duplicate_of", "contaminates", "depth_kind"]
_ANY_FRAME = -1


@dataclass(frozen=True)
class Captions:
    """The captions of all clips in flat arrays; those of clip i are the slice starts[i]:starts[i + 1].

    names: the names of the views; a view is a kind of caption, such as "title". views: for each caption, the index of its view in
    `names`. frames: for each caption, the number of the frame that it describes, or -1 if it describes the whole clip. texts: for each
    caption, the index of its text in `distinct`. shards: for each distinct text, the lowest number of a shard that contains it.
    """

    starts: IntArray
    views: Int16Array
    frames: IntArray
    texts: IntArray
    names: tuple[str, ...]
    distinct: pa.StringArray
    shards: IntArray


@dataclass(frozen=True)
class TrainingSamples:
    """The clips that a modality is trained on, one row each.

    paths: for each clip, the paths of its files, relative to the dataset. depth_kinds: depth_kind of the manifest. left_out: how many
    clips of the dataset were left out, by reason.
    """

    modality: Modality
    clip_ids: list[str]
    shards: IntArray
    paths: pa.ListArray
    depth_kinds: list[str | None]
    captions: Captions
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.clip_ids)

    def paths_of(self, row: int) -> list[str]:
        """Returns the paths of the files of one clip, relative to the dataset."""
        result: list[str] = self.paths[row].as_py()
        return result


def committed_shards(storage: Storage) -> list[int]:
    """Returns the numbers of the committed shards. Raises UserError if there are none."""
    numbers = layout.shards_in(storage.names(""))
    if not numbers:
        raise UserError(f"{storage.uri} holds no shard-NNNNN.parquet: build one with vidal build-shard")
    return numbers


def read_samples(storage: Storage, modality: Modality, settings: Train) -> TrainingSamples:
    """Returns the clips of all shards that a modality can be trained on. Raises UserError if there are none."""
    samples = find_samples(storage, modality, settings)
    if not len(samples):
        why = (
            ", ".join(f"{reason} {count}" for reason, count in samples.left_out.items())
            or "none, because the dataset has no clips"
        )
        raise UserError(
            f"{storage.uri}: no clip is left to train {modality.value} on (left out, by reason: {why}): build more shards, "
            "or change train.splits, train.views or train.skip_flags"
        )
    return samples


def find_samples(storage: Storage, modality: Modality, settings: Train) -> TrainingSamples:
    """Returns the clips of all shards that a modality can be trained on.

    Leaves out duplicates, clips that are not in settings.splits, clips that occur in an evaluation set, clips without files of the
    modality, silent sounds, and clips without a usable caption. Raises UserError if the dataset has no shard.
    """
    column = PATHS[modality]
    columns = [*_COLUMNS, column, *(["scores"] if modality is Modality.AUDIO else [])]
    names = [layout.manifest(shard) for shard in committed_shards(storage)]
    table = pa.concat_tables([storage.read_table(name, columns) for name in names])
    left_out: dict[str, int] = {}

    def keep(mask: pa.ChunkedArray, reason: str) -> None:
        nonlocal table
        before = len(table)
        table = table.filter(mask)
        left_out[reason] = before - len(table)

    keep(pc.is_null(table["duplicate_of"]), "duplicate")
    keep(pc.is_in(table["split"], value_set=pa.array(settings.splits)), "held_out")
    keep(pc.equal(pc.fill_null(pc.list_value_length(table["contaminates"]), 0), 0), "of_evaluation_set")
    lists = pa.types.is_list(table.schema.field(column).type)
    has_files = pc.fill_null(pc.list_value_length(table[column]), 0) if lists else pc.is_valid(table[column])
    keep(pc.cast(has_files, pa.bool_()), f"no_{modality.value}")
    if modality is Modality.AUDIO:
        silence = pc.struct_field(table["scores"], "audio_silence_share")
        keep(pc.less(pc.fill_null(silence, 0.0), 1.0), "silent")
    views = settings.views_of(modality)
    captions = _captions(table, views, settings.skip_flags)
    keep(pa.chunked_array([pa.array(np.diff(captions.starts) > 0)]), "no_text")
    paths = table[column].combine_chunks()
    return TrainingSamples(
        modality,
        table["clip_id"].to_pylist(),
        table["shard"].to_numpy(),
        paths if lists else pa.ListArray.from_arrays(pa.array(range(len(paths) + 1), pa.int32()), paths),
        table["depth_kind"].to_pylist(),
        _captions(table, views, settings.skip_flags),
        {reason: count for reason, count in left_out.items() if count},
    )


def _captions(table: pa.Table, weights: Mapping[str, float], skip_flags: tuple[str, ...]) -> Captions:
    """Returns the usable captions of the clips in a table.

    A caption is usable if its text is not blank, its view has a weight above 0, and none of its flags is in skip_flags.
    """
    lists = table["captions"].combine_chunks()
    names = tuple(view for view, weight in weights.items() if weight > 0)
    flat = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists).to_numpy()
    text = flat.field("text")
    selected = pc.and_(
        pc.is_in(flat.field("view"), value_set=pa.array(names, pa.string())),
        pc.and_(pc.is_valid(text), pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(text, ""))), 0)),
    ).to_numpy(zero_copy_only=False)
    flags = flat.field("flags")
    skipped = pc.is_in(pc.list_flatten(flags), value_set=pa.array(skip_flags, pa.string()))
    selected[pc.list_parent_indices(flags).to_numpy()[skipped.to_numpy(zero_copy_only=False)]] = False
    coded = pc.dictionary_encode(text.filter(pa.array(selected)))
    counts = np.bincount(parents[selected], minlength=len(lists)) if len(lists) else np.zeros(0, np.int64)
    views = pc.index_in(flat.field("view").filter(pa.array(selected)), value_set=pa.array(names, pa.string()))
    texts = coded.indices.to_numpy(zero_copy_only=False)
    return Captions(
        np.concatenate(([0], np.cumsum(counts))),
        views.to_numpy(zero_copy_only=False).astype(np.int16),
        pc.fill_null(flat.field("frame").filter(pa.array(selected)), _ANY_FRAME).to_numpy(zero_copy_only=False),
        texts,
        names,
        coded.dictionary,
        _first_shards(texts, table["shard"].to_numpy()[parents[selected]], len(coded.dictionary)),
    )


def _first_shards(texts: IntArray, shards: IntArray, count: int) -> IntArray:
    """Returns, for each of `count` distinct texts, the lowest number of a shard that contains it.

    texts, shards: for each caption, the index of its text and the number of its shard.
    """
    first = np.full(count, np.iinfo(np.int32).max, np.int32)
    np.minimum.at(first, texts, shards.astype(np.int32))
    return first


def sample_caption(samples: TrainingSamples, row: int, weights: Float64Array, key: tuple[int, ...]) -> tuple[int, int]:
    """Draws a caption and a frame for a clip. Returns (index of the text in captions.distinct, number of the frame).

    First, one of the views that the clip has captions of is drawn by weight. Then, one of the captions of this view is drawn. If the
    caption describes one of the clip's frames, that frame is returned; otherwise, a random one.

    weights: the weight of each view, in the order of captions.names. key: the seed; the same key gives the same result.
    """
    captions, generator = samples.captions, np.random.default_rng((*key, row))
    first, last = captions.starts[row], captions.starts[row + 1]
    views = captions.views[first:last]
    present = np.unique(views)
    share = weights[present] / weights[present].sum()
    view = generator.choice(present, p=share)
    chosen = first + generator.choice(np.flatnonzero(views == view))
    count = len(samples.paths[row])
    frame, random_frame = int(captions.frames[chosen]), int(generator.integers(count))
    return int(captions.texts[chosen]), frame if 0 <= frame < count else random_frame
