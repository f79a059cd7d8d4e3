"""The Arrow schemas of the candidates, the stages' tables, the ledger and the manifest, and the fixed words in them, such as reasons."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar

import pyarrow as pa

SCHEMA_VERSION = "2"

ValueT = TypeVar("ValueT")
# The user and the password of an address, with the "@" that separates them from the host.
_CREDENTIALS = re.compile(r"""(?<=://)[^/?#\s"'<>]*@""")


class Subject(str, Enum):
    CANDIDATE = "candidate"
    CLIP = "clip"
    VIEW = "view"


class Status(str, Enum):
    KEPT = "kept"
    DROPPED = "dropped"
    FAILED = "failed"


class Kind(str, Enum):
    VIDEO = "video"
    AUDIO = "audio"


class View(str, Enum):
    """A kind of text or media that a clip may have, such as its title or its depth maps. The ledger has a row per clip and view."""

    def __str__(self) -> str:
        return self.value

    TITLE = "title"
    HASHTAGS = "hashtags"
    SUBTITLE = "subtitle"
    KEYFRAME = "keyframe"
    VIDEO = "video"
    ENHANCED = "enhanced"
    SOUND = "sound"
    DEPTH = "depth"
    INFRARED = "infrared"
    AUDIO = "audio"


class Reason(str, Enum):
    """Why a candidate, clip or view was kept, dropped or failed. The values are stable, because users group by them."""

    OK = "ok"
    # text, before anything is downloaded
    NO_TITLE = "no_title"
    SHORT_TITLE = "short_title"
    NO_HASHTAGS = "no_hashtags"
    STOP_HASHTAGS = "stop_hashtags"
    TOO_LONG = "too_long"
    # the choice of candidates by what their source states
    LICENCE = "licence"
    BLOCKED_UPLOADER = "blocked_uploader"
    BLOCKED_DOMAIN = "blocked_domain"
    LOW_RATING = "low_rating"
    FEW_DOWNLOADS = "few_downloads"
    FEW_COMMENTS = "few_comments"
    FEW_TAGS = "few_tags"
    # the user's list
    BAD_ROW = "bad_row"
    UNREADABLE_FILE = "unreadable_file"
    # crawl
    BAD_URL = "bad_url"
    FORBIDDEN_ADDRESS = "forbidden_address"
    HTTP_401 = "http_401"
    HTTP_403 = "http_403"
    HTTP_404 = "http_404"
    HTTP_4XX = "http_4xx"
    HTTP_5XX = "http_5xx"
    REMOVED = "removed"
    PRIVATE = "private"
    LOGIN_REQUIRED = "login_required"
    AGE_GATED = "age_gated"
    GEO_BLOCKED = "geo_blocked"
    BOT_CHECK = "bot_check"
    ROBOTS = "robots"
    OPTED_OUT = "opted_out"
    RATE_LIMITED = "rate_limited"
    BREAKER_OPEN = "breaker_open"
    DAILY_BUDGET = "daily_budget"
    IDENTITY_PAUSED = "identity_paused"
    REDIRECT_LOOP = "redirect_loop"
    FORBIDDEN_SCHEME = "forbidden_scheme"
    REFUSED = "refused"
    CONNECTION = "connection"
    INCOMPLETE = "incomplete"
    DNS = "dns"
    TLS = "tls"
    TIMEOUT = "timeout"
    TOO_LARGE = "too_large"
    UNSUPPORTED_URL = "unsupported_url"
    PLAYLIST = "playlist"
    LIVE = "live"
    NO_JAVASCRIPT = "no_javascript"
    EXTRACTOR = "extractor"
    # the downloaded file
    NOT_MEDIA = "not_media"
    EMPTY_FILE = "empty_file"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    FALSE_DURATION = "false_duration"
    TOO_SHORT = "too_short"
    TOO_MANY_PIXELS = "too_many_pixels"
    SPAN_OUTSIDE = "span_outside"
    STILL_PICTURE = "still_picture"
    ANIMATED_PICTURE = "animated_picture"
    NO_PICTURES = "no_pictures"
    TOO_COSTLY = "too_costly"
    # filters
    LOW_SIMILARITY = "low_similarity"
    LOW_RESOLUTION = "low_resolution"
    ASPECT = "aspect"
    BLACK = "black"
    FROZEN = "frozen"
    LOW_MOTION = "low_motion"
    HIGH_MOTION = "high_motion"
    BLURRED = "blurred"
    TEXT_COVERAGE = "text_coverage"
    NSFW = "nsfw"
    LOW_AESTHETIC = "low_aesthetic"
    LANGUAGE = "language"
    CUT_INSIDE = "cut_inside"
    FILTERED = "filtered"
    AWAITING_VIEWS = "awaiting_views"
    AWAITING_MEDIA = "awaiting_media"
    DUPLICATE_EXACT = "duplicate_exact"
    DUPLICATE_NEAR = "duplicate_near"
    DUPLICATE_SEMANTIC = "duplicate_semantic"
    # views
    NO_ESTIMATOR = "no_estimator"
    NO_FRAMES = "no_frames"
    NO_AUDIO = "no_audio"
    BAD_AUDIO = "bad_audio"
    NO_SUBTITLE = "no_subtitle"
    NO_HASHTAG_TEXT = "no_hashtag_text"
    NOTHING_RECOGNISED = "nothing_recognised"
    NO_MODEL = "no_model"
    NO_BASE_CAPTION = "no_base_caption"
    EMPTY_REWRITE = "empty_rewrite"
    UNSUPPORTED_REWRITE = "unsupported_rewrite"
    MALFORMED_REWRITE = "malformed_rewrite"
    OFF_CAPTION = "off_caption"
    BAD_ANSWER = "bad_answer"
    # engine
    UNSTORABLE = "unstorable"
    CRASHED = "crashed"
    QUARANTINED = "quarantined"


def struct_fields(type_: pa.DataType) -> list[str]:
    return [type_.field(i).name for i in range(type_.num_fields)]


STR = pa.string()
STRS = pa.list_(STR)
TIME = pa.timestamp("us", tz="UTC")
SCORES = pa.map_(STR, pa.float64())
TEXTS = pa.map_(STR, STR)
# frame: index into frame_paths for a keyframe caption, else null. prompt_sha256: hash of the prompt or template.
CAPTION = pa.struct(
    [
        pa.field("view", STR),
        pa.field("frame", pa.int32()),
        pa.field("text", STR),
        pa.field("model", STR),
        pa.field("revision", STR),
        pa.field("prompt_sha256", STR),
        pa.field("similarity", pa.float64()),
        pa.field("flags", STRS),
    ]
)
CAPTIONS = pa.list_(CAPTION)

TERMS = pa.schema(
    [
        ("term_id", STR),
        ("term", STR),
        ("sources", STRS),
        ("keywords", STRS),
        ("pos", STRS),
        ("frequency", pa.int64()),
        ("shard", pa.int32()),
    ]
)

# One row per candidate: what a search or a catalogue states, before anything is fetched. source: the name of the source that fetches it.
# media_url: the address of the file itself, if known. curated: whether the candidate is in a list of the user's, not found by a search.
CANDIDATES = pa.schema(
    [
        ("candidate_id", STR),
        ("shard", pa.int32()),
        ("source", STR),
        ("platform", STR),
        ("source_id", STR),
        ("url", STR),
        ("media_url", STR),
        ("kind", STR),
        ("search_terms", STRS),
        ("title", STR),
        ("hashtags", STRS),
        ("uploader", STR),
        ("licence", STR),
        ("duration_s", pa.float64()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("curated", pa.bool_()),
        ("extra", TEXTS),
    ]
)

# One row per clip. media_path: the fetched file, as stored; media_sha256: its hash; source_sha256: the hash of the file as it was
# downloaded. text: title and hashtags without junk. cuts: the number of cuts inside the clip; null without a detector.
CRAWL = pa.schema(
    [
        ("clip_id", STR),
        ("candidate_id", STR),
        ("kind", STR),
        ("shard", pa.int32()),
        ("platform", STR),
        ("source_id", STR),
        ("url", STR),
        ("uploader", STR),
        ("licence", STR),
        ("retrieved_at", TIME),
        ("search_terms", STRS),
        ("title", STR),
        ("hashtags", STRS),
        ("language", STR),
        ("text", STR),
        ("start_s", pa.float64()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("has_audio", pa.bool_()),
        ("cuts", pa.int32()),
        ("media_path", STR),
        ("media_sha256", STR),
        ("source_sha256", STR),
        ("extra", TEXTS),
    ]
)

KEYFRAMES = pa.schema(
    [
        ("clip_id", STR),
        ("frame_times_s", pa.list_(pa.float64())),
        ("frame_paths", STRS),
        ("frame_sha256", STRS),
        ("phash", STR),
        ("signature", pa.binary()),
    ]
)
# language: as the page states it, else as detected from title and hashtags. measured: for a measure that a model computed, the name
# of the model; for a measure that was asked for but has no value, the reason why it has none.
MEASURED = pa.schema([("clip_id", STR), ("language", STR), ("measures", SCORES), ("measured", TEXTS)])
# compared: the two things that the similarity compares. frame_embeddings: unit vectors of the frames; embedding: their mean,
# normalised. Both are empty without frames.
SIMILARITY = pa.schema(
    [
        ("clip_id", STR),
        ("similarity", pa.float64()),
        ("scores", SCORES),
        ("compared", STR),
        ("embedding", pa.list_(pa.float32())),
        ("frame_embeddings", pa.list_(pa.list_(pa.float32()))),
    ]
)
FILTERED = pa.schema([("clip_id", STR)])
DEPTH = pa.schema(
    [
        ("clip_id", STR),
        ("depth_paths", STRS),
        ("depth_sha256", STRS),
        ("depth_kind", STR),
        ("depth_unit", STR),
        ("depth_model", STR),
        ("depth_scores", SCORES),
    ]
)
INFRARED = pa.schema(
    [
        ("clip_id", STR),
        ("infrared_paths", STRS),
        ("infrared_sha256", STRS),
        ("infrared_model", STR),
        ("infrared_scores", SCORES),
    ]
)
# audio_extra: the transcript, and the names of the models. audio_embedding: unit vector of the sound, empty without a model.
# audio_fingerprint: uint32 values of Chromaprint, empty for silence and for less than about a second.
AUDIO = pa.schema(
    [
        ("clip_id", STR),
        ("audio_path", STR),
        ("audio_sha256", STR),
        ("audio_rms_db", pa.float64()),
        ("audio_tags", STRS),
        ("audio_scores", SCORES),
        ("audio_extra", TEXTS),
        ("audio_embedding", pa.list_(pa.float32())),
        ("audio_fingerprint", pa.binary()),
    ]
)
SOUNDED = pa.schema([("clip_id", STR), ("sound", CAPTIONS)])
CAPTIONED = pa.schema([("clip_id", STR), ("captions", CAPTIONS)])
# tokens_*: the numbers of tokens that the rewriter read and wrote for the clip, in this build or an earlier one.
ENHANCED = pa.schema([("clip_id", STR), ("enhanced", CAPTIONS), ("tokens_in", pa.int64()), ("tokens_out", pa.int64())])

# score: a measure of the tag, such as the share of the time; null if the tag has none.
AUDIO_TAG = pa.struct([pa.field("tag", STR), pa.field("score", pa.float64())])

# The contract: other people's scripts depend on these columns. Paths are relative to OUT.
_MANIFEST = pa.schema(
    [
        ("clip_id", STR),
        ("kind", STR),
        ("shard", pa.int32()),
        ("platform", STR),
        ("source_id", STR),
        ("url", STR),
        ("uploader", STR),
        ("licence", STR),
        ("retrieved_at", TIME),
        ("search_terms", STRS),
        ("title", STR),
        ("hashtags", STRS),
        ("language", STR),
        ("start_s", pa.float64()),
        ("duration_s", pa.float64()),
        ("fps", pa.float64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("sha256", STR),
        ("phash", STR),
        ("video_path", STR),
        ("audio_path", STR),
        ("frame_times_s", pa.list_(pa.float64())),
        ("frame_paths", STRS),
        ("depth_paths", STRS),
        ("depth_kind", STR),
        ("depth_unit", STR),
        ("depth_model", STR),
        ("infrared_paths", STRS),
        ("infrared_model", STR),
        ("audio_rms_db", pa.float64()),
        ("audio_tags", pa.list_(AUDIO_TAG)),
        ("split", STR),
        ("captions", CAPTIONS),
        ("similarity", pa.float64()),
        ("scores", pa.struct([])),
        ("extra", STR),
        ("duplicate_of", STR),
        ("contaminates", STRS),
        ("synthetic_views", STRS),
    ]
)

MANIFEST_COLUMNS: list[str] = _MANIFEST.names


def manifest(scores: Iterable[str]) -> pa.Schema:
    """Returns the schema of a manifest. scores: the names of the scores, which become the fields of the column `scores`."""
    at = _MANIFEST.get_field_index("scores")
    return _MANIFEST.set(at, pa.field("scores", pa.struct([(name, pa.float64()) for name in sorted(scores)])))


# The manifest stage adds these columns to a manifest row. Only the commit of the shard needs them. files: the sha256 of each media
# file of the clip, by the name of the file.
ASSEMBLED = pa.schema(
    [
        pa.field("candidate_id", STR),
        pa.field("source_sha256", STR),
        pa.field("files", TEXTS),
        pa.field("signature", pa.binary()),
        pa.field("audio_fingerprint", pa.binary()),
        pa.field("embedding", pa.list_(pa.float32())),
        pa.field("audio_embedding", pa.list_(pa.float32())),
        pa.field("tokens_in", pa.int64()),
        pa.field("tokens_out", pa.int64()),
    ]
)

# One terminal row per candidate, per clip, and per view of a clip. at: when the outcome was known (UTC).
LEDGER = pa.schema(
    [
        ("subject", STR),
        ("id", STR),
        ("parent_id", STR),
        ("stage", STR),
        ("view", STR),
        ("status", STR),
        ("reason", STR),
        ("detail", STR),
        ("transient", pa.bool_()),
        ("attempts", pa.int32()),
        ("seconds", pa.float64()),
        ("at", TIME),
    ]
)


# The meanings of the columns of the manifest, the ledger, the captions and the search terms. docs/columns.md is generated from them.
MEANINGS = {
    "clip_id": "Identifier of the clip. The same build gives the same identifiers on every machine.",
    "kind": '"video" or "audio". A clip of the kind "audio" is called a sound here; it has no frames, depth or infrared.',
    "shard": "Number of the shard.",
    "platform": 'Where the candidate was found, such as "youtube". For an address in your list, it is "url".',
    "source_id": "Identifier of the video or sound on its platform.",
    "url": "Address of the page or file.",
    "uploader": "The uploader, as stated on the page.",
    "licence": "The licence, in the words of the page.",
    "retrieved_at": "Time of the download (UTC). If the recipe sets crawl.retrieved_at, it is that time instead.",
    "search_terms": "All search terms that found the candidate; empty for a candidate of your list.",
    "title": "The title, unchanged.",
    "hashtags": 'The hashtags without "#", in lower case.',
    "language": (
        "ISO 639-1 code of the language. If the page states none, it is detected from title and hashtags. Null if the detector is "
        "not sure."
    ),
    "start_s": "Where the clip begins in the video or sound that was downloaded, in seconds.",
    "duration_s": "Length of the clip in seconds.",
    "fps": "Frames per second; null for a sound.",
    "width": "Width in pixels, as displayed; null for a sound.",
    "height": "Height in pixels, as displayed; null for a sound.",
    "sha256": "SHA-256 of the file in `video_path`; for a sound, of the file in `audio_path`.",
    "phash": 'Perceptual hash (64 bits) of each stored frame, as hexadecimal digits joined by "-"; null for a sound.',
    "video_path": "Path of the video; null for a sound.",
    "audio_path": "Path of the sound track, a mono FLAC; null if there is none.",
    "frame_times_s": (
        "Time of each stored frame, in seconds from the first frame of the clip. The lists of frames, depth and infrared below are "
        "in the same order."
    ),
    "frame_paths": "Paths of the stored frames.",
    "depth_paths": "Paths of the depth pictures (16-bit PNG), one for each frame. Empty if the clip has no depth; the ledger says why.",
    "depth_kind": (
        'What a depth pixel means. With "metric", it is a distance, or 0 if the distance is unknown. With "relative", a larger value is '
        'farther away. With "inverse_relative", a larger value is nearer. If depth is not metric, the scores depth_at_0 and '
        "depth_at_65535 are the model's values for the pixels 0 and 65535."
    ),
    "depth_unit": '"mm" if depth_kind is "metric", else empty.',
    "depth_model": "Name of the model that estimated the depth.",
    "infrared_paths": "Paths of the infrared pictures (8 bits), one for each frame.",
    "infrared_model": "Name of the model that made the infrared.",
    "audio_rms_db": "RMS level of the sound track, in dBFS.",
    "audio_tags": "What the sound track is like: `silence`, `clipped`, and activities such as `speech`. An entry is described below.",
    "tag": "The tag.",
    "score": (
        "For `clipped`, this is the share of the samples that are clipped. For any other tag, it is the share of the time in which "
        "the tag applies. The column `scores` has the same number, for example as audio_silence_share. Null if it was not computed."
    ),
    "split": '"train", "val" or "test". All clips of one video or sound, and all copies of a clip, have the same split.',
    "captions": "The texts of the clip. An entry is described below.",
    "similarity": (
        "For a video, this is the mean cosine of the frames with title and hashtags. It says how well pictures and text agree. For a "
        "sound, it is the cosine of title and hashtags with the nearest search term, or null if no search found the sound."
    ),
    "scores": "The scores of the clip, by the names in the section Scores. A score that was not computed is null.",
    "extra": "A JSON object with further values. The last section of this page lists the keys.",
    "duplicate_of": (
        "Null if the clip is not a copy. If the clip is a copy of a clip in a shard with a lower number, this is the clip_id of "
        "that other clip. Leave the copies out when you use the data. Copies within a shard have been dropped already."
    ),
    "contaminates": "Names of your evaluation sets that contain the clip or a copy of it. The recipe lists the sets under decontaminate.",
    "synthetic_views": (
        "The views of the clip that a model made. Views with texts that have the flag `imported` are listed as well, because vidal "
        "cannot know who wrote these texts."
    ),
    "view": (
        "Name of the view: title, hashtags, subtitle, keyframe, video, enhanced, sound, depth, infrared or audio. Null if the row "
        "is about a candidate or a clip."
    ),
    "frame": "For a keyframe caption, the index of its frame in frame_paths; else null.",
    "text": "The text. It is empty for a frame in which nothing was recognised.",
    "model": (
        'The model that wrote the text. It is "source" for title, hashtags and subtitles, which came with the video or sound. It is '
        '"released" for a text with the flag `imported`.'
    ),
    "revision": "Revision of the model.",
    "prompt_sha256": "SHA-256 of the prompt or template; null for a text without a prompt.",
    "flags": "Notes about the text. They are listed below.",
    "subject": 'What the row is about: "candidate", "clip" or "view".',
    "id": "Identifier of the candidate, clip or view. For a view, it is CLIP_ID/VIEW.",
    "parent_id": "For a clip, the id of its candidate; for a view, the id of its clip.",
    "stage": "The step of the build that gave the final outcome.",
    "status": '"kept", "dropped" (does not qualify) or "failed" (could not be processed).',
    "reason": "Why the row has this status. [Troubleshooting](troubleshooting.md) explains each reason.",
    "detail": "Details of the outcome, such as the message of an error.",
    "transient": "Whether a later attempt may succeed.",
    "attempts": "How often the work on the candidate, clip or view was attempted.",
    "seconds": "How many seconds the stage worked on the candidate, clip or view.",
    "at": "When the outcome was known (UTC).",
    "term_id": "Identifier of the term.",
    "term": "The text that is searched for, normalised: in lower case, with single spaces.",
    "sources": "Names of the corpora that contain the term.",
    "keywords": "The nouns and verbs of the term, in their base forms.",
    "pos": 'The part of speech of each keyword: "NOUN" or "VERB".',
    "frequency": "How often the term occurs in the corpora.",
}


def table(rows: Sequence[Mapping[str, object]], schema: pa.Schema) -> pa.Table:
    """Converts rows to a table of exactly this schema: a column that holds only None keeps its type.

    Characters that UTF-8 cannot encode (lone surrogates) are replaced by U+FFFD. Raises KeyError for an unknown key, and
    ValueError for a value that does not fit its column.
    """
    names = set(schema.names)
    for row in rows:
        if unknown := row.keys() - names:
            raise KeyError(f"the schema has no columns {sorted(unknown)}: add them to it, or remove them from the row")
    try:
        return pa.Table.from_pylist(rows, schema=schema)
    except UnicodeEncodeError:
        return table([encodable(row) for row in rows], schema)
    except (pa.ArrowException, OverflowError) as error:
        raise ValueError(str(error)) from error


def content(table: pa.Table) -> str:
    """Returns the sha256 of a table's schema and rows. It does not depend on how the rows are divided into chunks."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table.combine_chunks())
    return hashlib.sha256(sink.getvalue()).hexdigest()


def encodable(value: Any) -> Any:
    """Returns the value with every lone surrogate in its texts replaced by U+FFFD. Pages contain some, but Arrow cannot store them."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {encodable(key): encodable(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(encodable(each) for each in value)
    return value


def without_credentials(text: str) -> str:
    """Returns the text without the user and the password of every address in it ("http://user:password@host/")."""
    return _CREDENTIALS.sub("", text) if "@" in text else text


def map_dict(value: Iterable[tuple[str, ValueT | None]] | Mapping[str, ValueT | None] | None) -> dict[str, ValueT]:
    """Returns an Arrow map or struct as a dict without nulls. `to_pylist` returns a map as a list of pairs."""
    return {name: each for name, each in dict(value or {}).items() if each is not None}
