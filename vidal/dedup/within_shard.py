"""Finds copies within a shard: the same bytes, nearly the same pictures or sound, or similar embeddings. The earliest clip is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from vidal.dedup.compare import compare, nearest_of, signed
from vidal.dedup.settings import Duplicates
from vidal.records import SignedClip
from vidal.schema import Reason


@dataclass(frozen=True)
class Copy:
    """A clip that repeats an earlier one. of: the clip_id of the earlier clip, which is kept. detail: in which way the two are alike."""

    of: str
    reason: Reason
    detail: str


def find_copies(rows: Sequence[SignedClip], settings: Duplicates) -> dict[str, Copy]:
    """Returns the clips that are copies of an earlier clip, by clip_id. rows: the clips, in the order of the candidates."""
    exact = _same_bytes(rows) if settings.exact else {}
    different = [row for row in rows if row["clip_id"] not in exact]
    pairs = compare(signed(different), None, settings)
    copies: dict[str, Copy] = {}
    for later, place in nearest_of(pairs).items():
        of = different[pairs.earlier[place]]["clip_id"]
        copies[different[later]["clip_id"]] = Copy(of, pairs.reason(place), f"{pairs.how(place)} clip {of}")
    return exact | copies


def _same_bytes(rows: Sequence[SignedClip]) -> dict[str, Copy]:
    first: dict[tuple[str, float, float], str] = {}
    copies = {}
    for row in rows:
        of = first.setdefault((row["source_sha256"], row["start_s"], row["duration_s"]), row["clip_id"])
        if of != row["clip_id"]:
            copies[row["clip_id"]] = Copy(of, Reason.DUPLICATE_EXACT, f"the same bytes as clip {of}")
    return copies
