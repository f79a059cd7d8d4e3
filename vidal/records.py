"""The rows of every table as types: the input and the output of the workers. tests/test_records.py compares them with schema.py.

A row is a plain dict, so that Arrow, pickle and debuggers can use it directly; these types only say which keys it has.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, TypedDict, TypeVar, cast

import pyarrow as pa

# Arrow maps: a list of pairs, as `to_pylist` returns them. schema.map_dict converts one to a dict.
Scores = list[tuple[str, float]]
Texts = list[tuple[str, str]]
# A row of any table, for code that does not depend on its columns.
Row = dict[str, Any]
RowT = TypeVar("RowT")


class Term(TypedDict):
    """A row of schema.TERMS: a search term, with the corpora that it comes from and the keywords in it."""

    term_id: str
    term: str
    sources: list[str]
    keywords: list[str]
    pos: list[str]
    frequency: int
    shard: int


class Candidate(TypedDict, total=False):
    """A row of schema.CANDIDATES: what a search or a catalogue states about a video or sound, before anything is fetched.

    A source fills in the columns that its pages state; the others become null.
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
    """A text of a clip, as schema.CAPTION stores it. frame: index into frame_paths for a keyframe caption, else None."""

    view: str
    frame: int | None
    text: str
    model: str
    revision: str
    prompt_sha256: str | None
    similarity: float | None
    flags: list[str]


class LedgerRow(TypedDict):
    """A row of schema.LEDGER: what finally became of a candidate, a clip or a view of a clip."""

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


# How many records entered a stage, and how they ended. Functional syntax, because one key is a Python keyword.
FunnelRow = TypedDict("FunnelRow", {"stage": str, "in": int, "kept": int, "dropped": int, "failed": int})


class _Source(TypedDict):
    """The columns that the crawl's rows and the manifest share: where a clip comes from, its span and its format."""

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
    """A row of schema.CRAWL: a clip as the crawl stores it."""

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
    """The columns of the keyframes. phash and signature are null if the clip has no frames."""

    frame_times_s: list[float]
    frame_paths: list[str]
    frame_sha256: list[str]
    phash: str | None
    signature: bytes | None


class KeyframesRow(KeyframeColumns):
    """A row of schema.KEYFRAMES: the stored frames of a clip."""

    clip_id: str


class MeasureColumns(TypedDict):
    measures: Scores
    measured: Texts


class MeasuredRow(MeasureColumns):
    """A row of schema.MEASURED: statistics of a clip, such as its brightness."""

    clip_id: str
    language: str | None


class SimilarityColumns(TypedDict):
    similarity: float | None
    scores: Scores
    compared: str
    embedding: list[float]
    frame_embeddings: list[list[float]]


class SimilarityRow(SimilarityColumns):
    """A row of schema.SIMILARITY: the embeddings of a clip, and its similarity scores."""

    clip_id: str


class DepthColumns(TypedDict, total=False):
    depth_paths: list[str]
    depth_sha256: list[str]
    depth_kind: str | None
    depth_unit: str | None
    depth_model: str | None
    depth_scores: Scores


class DepthRow(DepthColumns):
    """A row of schema.DEPTH: the depth maps of a clip."""

    clip_id: str


class InfraredColumns(TypedDict, total=False):
    infrared_paths: list[str]
    infrared_sha256: list[str]
    infrared_model: str | None
    infrared_scores: Scores


class InfraredRow(InfraredColumns):
    """A row of schema.INFRARED: the infrared pictures of a clip."""

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
    """A tag of a clip's sound and its score, as schema.AUDIO_TAG stores them."""

    tag: str
    score: float | None


class AudioRow(AudioColumns):
    """A row of schema.AUDIO: the sound track of a clip, with its tags and scores."""

    clip_id: str


class SoundRow(TypedDict):
    """A row of schema.SOUNDED: the captions of a clip's sound."""

    clip_id: str
    sound: list[Caption]


class CaptionedRow(TypedDict):
    """A row of schema.CAPTIONED: the texts of a clip, such as its title and captions."""

    clip_id: str
    captions: list[Caption]


class EnhancedRow(TypedDict, total=False):
    """A row of schema.ENHANCED: the rewritten captions of a clip, and the tokens that the rewriter used."""

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
    """A clip as a stage gets it: the columns of all tables that the stage reads, joined. Other columns are absent."""

    sound: list[Caption]
    captions: list[Caption]
    enhanced: list[Caption]
    tokens_in: int | None
    tokens_out: int | None


class ManifestRow(_Source):
    """A row of schema.manifest: a row of the dataset, as users read it."""

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
    """A manifest row, and the columns of schema.ASSEMBLED in addition. Only the commit of the shard needs these columns."""

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
    """The columns by which copies are recognised. signature: a vidal.media.hashing.Signature of the frames, as bytes.

    embedding, audio_embedding: empty if the recipe has no model for them.
    """

    kind: str
    signature: bytes | None
    audio_fingerprint: bytes | None
    embedding: list[float]
    audio_embedding: list[float]


class SignedClip(SignedRow):
    """The columns of an assembled row by which copies within its shard are recognised."""

    clip_id: str
    source_sha256: str
    start_s: float
    duration_s: float


class EvaluationFile(SignedRow, total=False):
    """A row of vidal.dedup.decontamination.SIGNATURES: a file of an evaluation set."""

    file: str
    sha256: str


def rows_of(table: pa.Table, row_type: type[RowT]) -> list[RowT]:
    """Returns the rows of a table as typed dicts. The caller names the type that fits the table's schema; this is not checked."""
    return cast("list[RowT]", table.to_pylist())
