"""Audio: the sound track of every clip as mono FLAC, its level and its content. A clip without sound is kept, but lacks this view."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vidal import ids, schema
from vidal.config.recipe import Recipe
from vidal.media import fingerprint, limited, loudness, sound
from vidal.media.settings import Decoding
from vidal.models.protocols import ActivityDetector
from vidal.models.registry import ACTIVITY, SOUND_SCORERS, SPEECH, open_model
from vidal.pipeline.stage import ModelUse, Output, Runtime, Stage, ViewOutcome, overlapping
from vidal.records import AudioRow, AudioTag, Clip
from vidal.schema import Kind, Reason, Status, Subject, View, map_dict
from vidal.scores import round_score
from vidal.stages.audio.settings import Audio
from vidal.stages.vectors import rounded
from vidal.stages.view import MediaColumn, ViewSpec
from vidal.storage import scratch
from vidal.storage.storage import Storage

_ACTIVITY_RATE = 16_000


def _empty(clip: Clip) -> AudioRow:
    return {"clip_id": clip["clip_id"], "audio_tags": []}


class _Worker:
    def __init__(self, recipe: Recipe, runtime: Runtime, storage: Storage):
        self._settings, self._decoding, self._storage = recipe.audio, recipe.decoding, storage
        self._listen = _Listener(recipe.audio)

    def __call__(self, clip: Clip) -> Output:
        if not clip["has_audio"]:
            return Output([_empty(clip)], (ViewOutcome(View.AUDIO, Status.DROPPED, Reason.NO_AUDIO),))
        with self._storage.local(clip["media_path"]) as path:
            read = SoundReader(path, clip["duration_s"] if clip["kind"] == Kind.VIDEO.value else None, self._decoding)
            samples, problem = read(self._settings.sample_rate)
            description = self._listen(read, clip["text"] or "")
        name, sha256, chromaprint = self._store(clip, samples)
        level_db = sound.rms_db(samples)
        scores = {**levels(samples, self._settings), **description.scores}
        row: AudioRow = {
            "clip_id": clip["clip_id"],
            "audio_path": name,
            "audio_sha256": sha256,
            "audio_rms_db": level_db,
            "audio_tags": tags(level_db, scores, self._settings),
            "audio_fingerprint": chromaprint,
            "audio_scores": sorted((key, round_score(value)) for key, value in scores.items()),
            "audio_extra": sorted(description.extra.items()),
            "audio_embedding": description.embedding,
        }
        detail = f"some of the sound does not decode: {problem}" if problem else ""
        return Output([row], (ViewOutcome(View.AUDIO, Status.KEPT, detail=detail),))

    def _store(self, clip: Clip, samples: np.ndarray) -> tuple[str, str, bytes]:
        """Stores the sound as a FLAC file. Returns the name of the file, its sha256, and the acoustic fingerprint of the sound."""
        with scratch.folder("audio") as folder:
            flac = folder / "audio.flac"
            sound.write_flac(samples, self._settings.sample_rate, flac)
            sha256 = ids.sha256(flac.read_bytes())
            chromaprint = fingerprint.fingerprint(flac).tobytes()
            name = self._storage.media.put(clip["shard"], clip["clip_id"], "audio.flac", flac)
        return name, sha256, chromaprint


@dataclass(frozen=True)
class SoundReader:
    """Reads the sound of a file at any sample rate.

    duration_s: the duration of the video that the sound belongs to; the sound is padded or trimmed to this duration. None for a file
    without video.
    """

    path: Path
    duration_s: float | None
    decoding: Decoding

    def __call__(self, sample_rate: int) -> tuple[np.ndarray, str]:
        """Returns (n,) int16 mono samples, and a message if some of the sound does not decode, else "".

        The part that does not decode is silent in the samples of a video. In those of a file without video, it is left out. Raises
        RecordError if nothing decodes.
        """
        limits = self.decoding.limits(media_s=self.duration_s or 0.0)
        return limited.call(limits, sound.read_decodable, self.path, sample_rate, self.duration_s)

    def floats(self, sample_rate: int) -> np.ndarray:
        """Returns (n,) float32 mono samples in -1..1."""
        return self(sample_rate)[0].astype(np.float32) / sound.FULL_SCALE


@dataclass
class SoundDescription:
    """What models say about a sound.

    scores: the scores, by name. extra: entries for the column `extra`: the transcript, and which models were used. embedding: a unit
    vector of the similarity model; empty if the recipe names no such model.
    """

    scores: dict[str, float] = field(default_factory=dict)
    extra: dict[str, str] = field(default_factory=dict)
    embedding: list[float] = field(default_factory=list)


class _Listener:
    """Describes a sound with the models that the recipe names. Each model gets the sound at the sample rate that it needs."""

    def __init__(self, settings: Audio):
        self._activity: ActivityDetector | None = open_model(ACTIVITY, settings.activity) if settings.activity else None
        self._speech = open_model(SPEECH, settings.speech) if settings.speech else None
        self._scorer = open_model(SOUND_SCORERS, settings.similarity) if settings.similarity else None

    def __call__(self, read: SoundReader, text: str) -> SoundDescription:
        description = SoundDescription()
        if self._activity:
            description.scores |= activity_scores(self._activity, read(_ACTIVITY_RATE)[0])
            description.extra["audio_activity_model"] = self._activity.name
        if self._speech:
            description.extra["audio_speech_text"] = self._speech.transcribe(read.floats(self._speech.sample_rate))
            description.extra["audio_speech_model"] = self._speech.name
        if self._scorer:
            vector = self._scorer.embed_sound(read.floats(self._scorer.sample_rate))
            description.extra["audio_similarity_model"] = self._scorer.name
            description.embedding = rounded(vector)
            if text:
                description.scores["audio_similarity"] = float(self._scorer.embed_texts([text])[0] @ vector)
        return description


def activity_scores(detector: ActivityDetector, samples: np.ndarray) -> dict[str, float]:
    """Returns the shares of the time with speech, singing, music and so on. The keys are names of scores, such as audio_speech_share.

    samples: (n,) int16 mono at 16 kHz.
    """
    return {f"audio_{name}_share": share for name, share in detector.measure_shares(samples).items()}


def levels(samples: np.ndarray, settings: Audio) -> dict[str, float]:
    """Returns the scores that need no model. samples: (n,) int16 mono at the sample rate of the recipe."""
    values: dict[str, float | None] = {
        "audio_peak_db": loudness.peak_db(samples),
        "audio_silence_share": loudness.silence_share(samples, settings.sample_rate, settings.silence_db),
        "audio_clipping_share": loudness.clipping_share(samples),
    }
    if settings.loudness:
        values["audio_lufs"] = loudness.lufs(samples, settings.sample_rate)
    return {name: value for name, value in values.items() if value is not None}


def tags(level_db: float, scores: dict[str, float], settings: Audio) -> list[str]:
    """Returns the tags that apply to a sound by the recipe's thresholds, sorted. level_db: of the whole track, in dBFS."""
    holds: dict[str, bool] = {
        "silence": level_db < settings.silence_db,
        "clipped": scores["audio_clipping_share"] > settings.clipping_share_max,
        **{name: scores.get(f"audio_{name}_share", 0.0) >= settings.tag_share_min for name in settings.activity_tags},
    }
    return sorted(name for name in holds if holds[name])


def scored_tags(clip: Clip) -> list[AudioTag]:
    """Returns the tags in `audio_tags` of the clip, such as "silence", each with its score from `audio_scores`.

    If `audio_scores` has no score for a tag, the score of the tag is None.
    """
    return score_tags(clip["audio_tags"], map_dict(clip["audio_scores"]))


def score_tags(names: list[str], scores: dict[str, float]) -> list[AudioTag]:
    """Returns each tag with its score; the score is None if the clip does not have this score.

    names: the tags. scores: all scores of the clip, by name. The score of `clipped` is the share of the samples that are clipped. The
    score of any other tag is the share of the time in which the tag applies.
    """
    shares = {"clipped": "audio_clipping_share"}
    return [{"tag": tag, "score": scores.get(shares.get(tag, f"audio_{tag}_share"))} for tag in names]


STAGE = Stage(
    name="audio",
    version=2,
    subject=Subject.CLIP,
    reads=("keyframes", "crawl", "filter"),
    schema=schema.AUDIO,
    open=_Worker,
    settings=lambda recipe: recipe.audio,
    models=lambda recipe: [
        ModelUse("activity", ACTIVITY, recipe.audio.activity),
        ModelUse("speech", SPEECH, recipe.audio.speech),
        ModelUse("similarity", SOUND_SCORERS, recipe.audio.similarity),
    ],
    views=lambda clip: (View.AUDIO.value,),
    empty=_empty,
    parts_at_once=overlapping("audio"),
)

VIEW = ViewSpec(
    name=View.AUDIO.value,
    stage=STAGE,
    settings=Audio,
    columns=("audio_path", "audio_rms_db", "audio_tags"),
    media=MediaColumn("audio_path", "audio_sha256", is_per_frame=False),
    scores="audio_scores",
    extra="audio_extra",
    convert={"audio_tags": scored_tags},
    is_synthetic=False,
)
