"""Chooses the split of a video or sound by a hash of its id, so that the split is the same in every shard and every run."""

from __future__ import annotations

from vidal import ids
from vidal.stages.manifest.settings import Split

TRAIN, VAL, TEST = "train", "val", "test"


def split_of(platform: str, source_id: str, shares: Split) -> str:
    """Returns the split of a video or sound, which all its clips share.

    If a recipe raises the share of val or test at the cost of train, some videos and sounds leave train; no others change their split.
    """
    place = int(ids.sha256(f"split {platform} {source_id}")[:15], 16) / 16**15
    if place < shares.test:
        return TEST
    return VAL if place >= 1 - shares.val else TRAIN
