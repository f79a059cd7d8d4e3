"""What the trainer sees of a dataset: the rows of its manifests that show a modality and have words for it."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vidal.errors import UserError
from vidal.storage.storage import Storage, shard_name
from vidal.train.settings import Modality, Train

PATHS = {
    Modality.VIDEO: "frame_paths",
    Modality.IMAGE: "frame_paths",
    Modality.DEPTH: "depth_paths",
    Modality.INFRARED: "infrared_paths",
    Modality.AUDIO: "audio_path",
}
_SHARD = re.compile(r"shard-(\d{5})\.parquet")
_COLUMNS = ["clip_id", "shard", "captions", "duplicate_of", "contaminates", "depth_kind"]
_ANY_FRAME = -1


@dataclass(frozen=True)
class Captions:
    """Texts of all rows, end to end. Row i has those from starts[i] up to starts[i + 1].

    views: index into `names`; frames: the frame that a keyframe's caption is of, else -1; texts: index into `distinct`.
    """

    starts: np.ndarray
    views: np.ndarray
    frames: np.ndarray
    texts: np.ndarray
    names: tuple[str, ...]
    distinct: list[str]


@dataclass(frozen=True)
class TrainingSamples:
    """One row a clip. paths: relative to the dataset, one row a list. left_out: clips that are not here, by reason."""

    modality: Modality
    clip_ids: list[str]
    shards: np.ndarray
    paths: pa.ListArray
    depth_kinds: list[str | None]
    captions: Captions
    left_out: dict[str, int]

    def __len__(self) -> int:
        return len(self.clip_ids)

    def paths_of(self, row: int) -> list[str]:
        result: list[str] = self.paths[row].as_py()
        return result


def committed_shards(storage: Storage) -> list[int]:
    """Shards that are committed. Raises UserError where there are none."""
    numbers = sorted(int(match[1]) for name in storage.names("") if (match := _SHARD.fullmatch(name)))
    if not numbers:
        raise UserError(f"{storage.uri} holds no shard-NNNNN.parquet: build one with vidal build-shard")
    return numbers


def read_samples(storage: Storage, modality: Modality, settings: Train) -> TrainingSamples:
    """All shards, without copies of other clips, clips of evaluation sets and silent sounds. Raises UserError where no row is left."""
    column = PATHS[modality]
    columns = [*_COLUMNS, column, *(["scores"] if modality is Modality.AUDIO else [])]
    names = [f"{shard_name(shard)}.parquet" for shard in committed_shards(storage)]
    table = pa.concat_tables([storage.read_table(name, columns) for name in names])
    left_out: dict[str, int] = {}

    def keep(mask: pa.ChunkedArray, reason: str) -> None:
        nonlocal table
        before = len(table)
        table = table.filter(mask)
        left_out[reason] = before - len(table)

    keep(pc.is_null(table["duplicate_of"]), "duplicate")
    keep(pc.equal(pc.fill_null(pc.list_value_length(table["contaminates"]), 0), 0), "of_evaluation_set")
    lists = pa.types.is_list(table.schema.field(column).type)
    shown = pc.fill_null(pc.list_value_length(table[column]), 0) if lists else pc.is_valid(table[column])
    keep(pc.cast(shown, pa.bool_()), f"no_{modality.value}")
    if modality is Modality.AUDIO:
        silence = pc.map_lookup(table["scores"], pa.scalar("audio_silence_share"), "first")
        keep(pc.less(pc.fill_null(silence, 0.0), 1.0), "silent")
    spoken = _captions(table["captions"].combine_chunks(), settings)
    keep(pa.chunked_array([pa.array(np.diff(spoken.starts) > 0)]), "no_text")
    if not len(table):
        why = ", ".join(f"{reason} {count}" for reason, count in left_out.items() if count) or "there are no clips"
        raise UserError(f"{storage.uri}: no clip to train {modality.value} on: {why}")
    paths = table[column].combine_chunks()
    return TrainingSamples(
        modality,
        table["clip_id"].to_pylist(),
        table["shard"].to_numpy(),
        paths if lists else pa.ListArray.from_arrays(pa.array(range(len(paths) + 1), pa.int32()), paths),
        table["depth_kind"].to_pylist(),
        _captions(table["captions"].combine_chunks(), settings),
        {reason: count for reason, count in left_out.items() if count},
    )


def _captions(lists: pa.ListArray, settings: Train) -> Captions:
    """Those of views that have a weight, without a flag that the recipe skips."""
    names = tuple(view for view, weight in settings.views.items() if weight > 0)
    flat = pc.list_flatten(lists)
    parents = pc.list_parent_indices(lists).to_numpy()
    text = flat.field("text")
    wanted = pc.and_(
        pc.is_in(flat.field("view"), value_set=pa.array(names, pa.string())),
        pc.and_(pc.is_valid(text), pc.greater(pc.utf8_length(pc.utf8_trim_whitespace(pc.fill_null(text, ""))), 0)),
    ).to_numpy(zero_copy_only=False)
    flags = flat.field("flags")
    skipped = pc.is_in(pc.list_flatten(flags), value_set=pa.array(settings.skip_flags, pa.string()))
    wanted[pc.list_parent_indices(flags).to_numpy()[skipped.to_numpy(zero_copy_only=False)]] = False
    coded = pc.dictionary_encode(text.filter(pa.array(wanted)))
    counts = np.bincount(parents[wanted], minlength=len(lists)) if len(lists) else np.zeros(0, np.int64)
    views = pc.index_in(flat.field("view").filter(pa.array(wanted)), value_set=pa.array(names, pa.string()))
    return Captions(
        np.concatenate(([0], np.cumsum(counts))),
        views.to_numpy(zero_copy_only=False).astype(np.int16),
        pc.fill_null(flat.field("frame").filter(pa.array(wanted)), _ANY_FRAME).to_numpy(zero_copy_only=False),
        coded.indices.to_numpy(zero_copy_only=False),
        names,
        coded.dictionary.to_pylist(),
    )


def sample_caption(samples: TrainingSamples, row: int, weights: np.ndarray, key: tuple[int, ...]) -> tuple[int, int]:
    """(text, frame) for a row: the same for the same key. weights: of the views, in the order of captions.names.

    A view is drawn by weight among those that the clip has, then one of its texts. A keyframe's caption brings its own frame,
    where it still has one; any other text takes one at random.
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
