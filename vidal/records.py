"""The rows of every table as types: what a worker is given and what it returns. tests/test_records.py ties them to schema.py.

A row is a plain dict, so that Arrow, pickle and a debugger take it as it is; these types only say which keys it has.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict, TypeVar, cast

import pyarrow as pa

# Arrow maps: a list of pairs, as `to_pylist` returns them. schema.map_dict makes a dict of one.
Scores = list[tuple[str, float]]
Texts = list[tuple[str, str]]
# A row of whatever table, where the code that handles it does not depend on its columns.
Row = dict[str, Any]
RowT = TypeVar("RowT")


class Term(TypedDict):
    """schema.TERMS: a search term, with the corpora that it comes from and the keywords that it holds."""

    term_id: str
    term: str
    sources: list[str]
    keywords: list[str]
    pos: list[str]
    frequency: int
    shard: int


class Candidate(TypedDict, total=False):
    """schema.CANDIDATES: what a search or a catalogue says of a video or a sound before anything is fetched.

    A source fills in the columns that its pages have; the others become null.
    """

    candidate_id: str
    shard: int
    source: str | None
    platform: str
    source_id: str
    url: str
    media_url: str | None
    kind: str | None
    search_terms: list[str]
    title: str | None
    hashtags: list[str]
    uploader: str | None
    licence: str | None
    duration_s: float | None
    start_s: float | None
    end_s: float | None
    curated: bool
    extra: Any  # dict[str, str] while it is filled in, pairs once it has been stored.


class Caption(TypedDict):
    """schema.CAPTION. frame: index into frame_paths for a keyframe caption, else None."""

    view: str
    frame: int | None
    text: str
    model: str
    revision: str
    prompt_sha256: str | None
    similarity: float | None
    flags: list[str]


class LedgerRow(TypedDict):
    """schema.LEDGER: the terminal outcome of a candidate, a clip or a view of a clip."""

    subject: str
    id: str
    parent_id: str | None
    stage: str
    view: str | None
    status: str
    reason: str
    detail: str
    transient: bool
    attempts: int
    seconds: float
    at: datetime


# How many records a stage was given, and how they ended. Functional syntax, because one key is a keyword of Python.
FunnelRow = TypedDict("FunnelRow", {"stage": str, "in": int, "kept": int, "dropped": int, "failed": int})


class _Source(TypedDict):
    """What a clip has from where it was found."""

    kind: str
    shard: int
    platform: str
    source_id: str
    url: str
    uploader: str | None
    licence: str | None
    retrieved_at: datetime
    search_terms: list[str]
    title: str | None
    hashtags: list[str]
    language: str | None
    start_s: float
    duration_s: float
    fps: float | None
    width: int | None
    height: int | None


class CrawledClip(_Source):
    """schema.CRAWL: a clip as the crawl stores it."""

    clip_id: str
    candidate_id: str
    extra: Texts
    text: str | None
    has_audio: bool
    cuts: int | None
    media_path: str
    media_sha256: str
    source_sha256: str


class KeyframeColumns(TypedDict):
    """phash and signature are null if the clip has no frames."""

    frame_times_s: list[float]
    frame_paths: list[str]
    frame_sha256: list[str]
    phash: str | None
    signature: bytes | None


class KeyframesRow(KeyframeColumns):
    """schema.KEYFRAMES."""

    clip_id: str


class MeasureColumns(TypedDict):
    measures: Scores
    measured: Texts


class MeasuredRow(MeasureColumns):
    """schema.MEASURED."""

    clip_id: str
    language: str | None


class SimilarityColumns(TypedDict):
    similarity: float | None
    scores: Scores
    compared: str
    embedding: list[float]
    frame_embeddings: list[list[float]]


class SimilarityRow(SimilarityColumns):
    """schema.SIMILARITY."""

    clip_id: str


class DepthColumns(TypedDict, total=False):
    depth_paths: list[str]
    depth_sha256: list[str]
    depth_kind: str | None
    depth_unit: str | None
    depth_model: str | None
    depth_scores: Scores


class DepthRow(DepthColumns):
    """schema.DEPTH."""

    clip_id: str


class InfraredColumns(TypedDict, total=False):
    infrared_paths: list[str]
    infrared_sha256: list[str]
    infrared_model: str | None
    infrared_scores: Scores


class InfraredRow(InfraredColumns):
    """schema.INFRARED."""

    clip_id: str


class AudioColumns(TypedDict, total=False):
    audio_path: str | None
    audio_sha256: str | None
    audio_rms_db: float | None
    audio_tags: list[str]
    audio_scores: Scores
    audio_extra: Texts
    audio_embedding: list[float]
    audio_fingerprint: bytes | None


class AudioTag(TypedDict):
    """schema.AUDIO_TAG."""

    tag: str
    score: float | None


class AudioRow(AudioColumns):
    """schema.AUDIO."""

    clip_id: str


class SoundRow(TypedDict):
    """schema.SOUNDED."""

    clip_id: str
    sound: list[Caption]


class CaptionedRow(TypedDict):
    """schema.CAPTIONED."""

    clip_id: str
    captions: list[Caption]


class EnhancedRow(TypedDict, total=False):
    """schema.ENHANCED."""

    clip_id: str
    enhanced: list[Caption]
    tokens_in: int | None
    tokens_out: int | None


class Clip(
    CrawledClip,
    KeyframeColumns,
    MeasureColumns,
    SimilarityColumns,
    DepthColumns,
    InfraredColumns,
    AudioColumns,
    total=False,
):
    """A clip as a stage sees it: the columns of all tables that the stage reads, joined. Its other columns are not there."""

    sound: list[Caption]
    captions: list[Caption]
    enhanced: list[Caption]
    tokens_in: int | None
    tokens_out: int | None


class ManifestRow(_Source):
    """schema.manifest: a row of the dataset, as its users read it."""

    clip_id: str
    sha256: str
    phash: str | None
    video_path: str | None
    audio_path: str | None
    frame_times_s: list[float]
    frame_paths: list[str]
    depth_paths: list[str]
    depth_kind: str | None
    depth_unit: str | None
    depth_model: str | None
    infrared_paths: list[str]
    infrared_model: str | None
    audio_rms_db: float | None
    audio_tags: list[AudioTag]
    split: str
    captions: list[Caption]
    similarity: float | None
    scores: dict[str, float | None]
    extra: str
    duplicate_of: str | None
    contaminates: list[str]
    synthetic_views: list[str]


class AssembledRow(ManifestRow):
    """schema.ASSEMBLED: a manifest row, and what only the commit of its shard needs."""

    candidate_id: str
    source_sha256: str
    files: Texts
    signature: bytes | None
    audio_fingerprint: bytes | None
    embedding: list[float]
    audio_embedding: list[float]
    tokens_in: int | None
    tokens_out: int | None


class SignedRow(TypedDict):
    """What copies are recognised by. signature: of the frames; the vectors are empty without a model."""

    kind: str
    signature: bytes | None
    audio_fingerprint: bytes | None
    embedding: list[float]
    audio_embedding: list[float]


class IndexedClip(SignedRow):
    """vidal.dedup.across_shards.SCHEMA: a clip in the index of its shard."""

    clip_id: str
    source_sha256: str
    start_s: float
    duration_s: float


class EvaluationFile(SignedRow, total=False):
    """vidal.dedup.decontamination.SIGNATURES: a file of an evaluation set."""

    file: str
    sha256: str


def rows_of(table: pa.Table, row_type: type[RowT]) -> list[RowT]:
    """The rows of a table, typed. The caller names the type that belongs to the table's schema; nothing is checked here."""
    return cast("list[RowT]", table.to_pylist())
