"""The list of a shard's clips whose media were deleted. The list explains why media of a clip are missing."""

from __future__ import annotations

import json

from vidal.storage import layout
from vidal.storage.storage import Storage


def cleaned_clips(storage: Storage, shard: int) -> set[str]:
    content = storage.read_if_present(layout.cleaned(shard))
    return set(json.loads(content)) if content else set()


def set_cleaned(storage: Storage, shard: int, clips: set[str]) -> None:
    storage.write(layout.cleaned(shard), json.dumps(sorted(clips), indent=0).encode())
