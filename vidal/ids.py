"""Deterministic ids: the same thing gets the same id in every run, on every machine."""

from __future__ import annotations

import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

NAMESPACE = uuid.UUID("5f0d9b0e-9c8e-5c51-8b0a-7d1f0f3f1a10")


def candidate_id(platform: str, source_id: str, start_s: float | None, end_s: float | None) -> str:
    """Returns the id of a candidate. start_s, end_s: the span of the video or sound that the catalogue asks for; None for all of it."""
    return str(uuid.uuid5(NAMESPACE, json.dumps(["candidate", platform, source_id, start_s, end_s])))


def clip_id(candidate: str, start_s: float, duration_s: float) -> str:
    """Returns the id of the clip that is this span of the candidate's media. Both times are rounded to milliseconds."""
    return str(uuid.uuid5(NAMESPACE, json.dumps(["clip", candidate, round(start_s, 3), round(duration_s, 3)])))


def term_id(term: str) -> str:
    return str(uuid.uuid5(NAMESPACE, json.dumps(["term", term])))


def sha256(data: bytes | str) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def file_sha256(path: Path) -> str:
    """Returns the SHA-256 of a file, in hex. The file may be larger than memory. Raises OSError if it cannot be read."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def fingerprint(value: Any) -> str:
    """Returns the SHA-256, in hex, of any JSON-like value. The order of keys does not matter."""
    return sha256(json.dumps(value, sort_keys=True, ensure_ascii=True, default=str))


def jump_hash(key: str, buckets: int) -> int:
    """Returns the bucket of a key, from 0 to buckets - 1. Jump consistent hash, Lamping & Veach 2014.

    If a bucket is added to n buckets, only 1 key in n + 1 moves, and it moves to the new bucket.
    """
    state, bucket, jump = int(sha256(key)[:16], 16), -1, 0
    while jump < buckets:
        bucket = jump
        state = (state * 2862933555777941757 + 1) % 2**64
        jump = int((bucket + 1) * (2**31 / ((state >> 33) + 1)))
    return bucket
