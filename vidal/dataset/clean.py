"""Deletes the media of clips that were dropped or failed for good. Their rows and scores stay, and a list names the clips without media.

If such a clip passes the filter later, the ledger says that it must be fetched again: `vidal retry OUT --class awaiting_media`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from vidal.dataset.dataset_file import read_dataset_or_fail
from vidal.dataset.shard_summary import summaries_or_fail
from vidal.records import LedgerRow, rows_of
from vidal.schema import Reason, Status, Subject
from vidal.storage import layout
from vidal.storage.cleaned import cleaned_clips, set_cleaned
from vidal.storage.locks import exclusive
from vidal.storage.media_store import replace_archive
from vidal.storage.storage import Storage

# Clips with these reasons are not dropped for good: the next build needs their media.
_UNFINISHED = {Reason.AWAITING_VIEWS.value, Reason.QUARANTINED.value}


@dataclass(frozen=True)
class Cleaned:
    """What was deleted. clips: the number of clips whose media were deleted. bytes: the size of these media."""

    clips: int = 0
    bytes: int = 0

    def __add__(self, other: Cleaned) -> Cleaned:
        return Cleaned(self.clips + other.clips, self.bytes + other.bytes)


def clean(out: str) -> Cleaned:
    """Deletes the media of clips that were dropped or failed for good, in every shard of the dataset OUT.

    Raises UserError if OUT is not a dataset, or has no committed shard.
    """
    storage = Storage(out)
    read_dataset_or_fail(storage)
    done = Cleaned()
    for summary in summaries_or_fail(storage):
        shard = summary["shard"]
        with exclusive(storage, layout.lock(shard)):
            outcomes = rows_of(storage.read_table(layout.ledger(shard)), LedgerRow)
            done += clean_shard(storage, shard, outcomes)
    return done


def clean_shard(storage: Storage, shard: int, outcomes: Iterable[LedgerRow]) -> Cleaned:
    """Deletes the media of a shard's clips that were dropped or failed for good.

    Adds these clips to the shard's list of clips without media. After an interruption, another call completes the work.

    outcomes: the rows of the shard's ledger.
    """
    ended = {row["id"] for row in outcomes if _has_ended(row)}
    before = cleaned_clips(storage, shard)
    if not ended - before and not before:
        return Cleaned()
    set_cleaned(storage, shard, before | ended)
    gone = before | ended
    clips, size = set[str](), 0
    for clip_id, count in (*_delete_files(storage, shard, gone), *_delete_members(storage, shard, gone)):
        clips.add(clip_id)
        size += count
    return Cleaned(len(clips), size)


def _has_ended(row: LedgerRow) -> bool:
    is_out = row["subject"] == Subject.CLIP.value and row["status"] != Status.KEPT.value
    return is_out and not row["transient"] and row["reason"] not in _UNFINISHED


def _delete_files(storage: Storage, shard: int, clips: set[str]) -> Iterator[tuple[str, int]]:
    """Deletes the media files of these clips. Yields the clip_id and the size in bytes of each file."""
    folder = layout.media_folder(shard)
    sizes = storage.sizes(folder)
    gone = [name for name in sizes if "/" in name and name.partition("/")[0] in clips]
    storage.remove_all([f"{folder}/{name}" for name in gone])
    for name in gone:
        yield name.partition("/")[0], sizes[name]
    if storage.is_local:
        for clip_id in {name.partition("/")[0] for name in gone}:
            storage.remove_folder(f"{folder}/{clip_id}")


def _delete_members(storage: Storage, shard: int, clips: set[str]) -> Iterator[tuple[str, int]]:
    """Removes the media of these clips from the shard's archives. Yields the clip_id and the size in bytes of each removed file."""
    folder = layout.media_folder(shard)
    for name in storage.names(folder):
        if not name.endswith(".tar"):
            continue
        archive = f"{folder}/{name}"
        sizes = storage.archives.sizes(archive)
        gone = [member for member in sizes if member.partition(".")[0] in clips]
        if gone:
            replace_archive(storage, archive, sorted(sizes.keys() - set(gone)))
        for member in gone:
            yield member.partition(".")[0], sizes[member]


def forget_cleaned(storage: Storage, shard: int, clips: set[str]) -> None:
    """Removes clips from the shard's list of clips without media, because they will be fetched again."""
    before = cleaned_clips(storage, shard)
    if before & clips:
        set_cleaned(storage, shard, before - clips)
