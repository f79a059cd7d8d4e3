"""When two clips count as copies."""

from __future__ import annotations

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Duplicates(Settings):
    """When two clips are copies: the same bytes, nearly the same video or recording, or the same meaning."""

    exact: bool = True
    """Whether clips with the same bytes are copies."""
    near: bool = True
    """Whether videos and recordings that are nearly the same are copies."""
    max_distance: float = Field(default=20.0, ge=0)
    """Two videos are nearly the same only if the median distance of the perceptual hashes of their frames is at most this; in bits,
    of 64."""
    motion_min: float = Field(default=0.65, ge=-1, le=1)
    """Two videos are nearly the same only if the correlation of their motion (-1 to 1) is at least this."""
    audio_max_difference: float = Field(default=0.12, ge=0, le=1)
    """Two recordings are nearly the same if at most this share of the bits of their audio fingerprints differs."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """Two clips have the same meaning if the cosine of their embeddings is at least this; null does not compare meanings."""
    dataset_clips_max: int = Field(default=100_000, ge=0)
    """A build marks copies across shards while the dataset has at most this many clips. For a larger dataset, run `vidal deduplicate
    OUT`."""


class EvaluationSet(Settings):
    """An evaluation set: clips that a model will be tested on. A clip of the dataset that is in the set, or is a copy of one, is
    marked in the column contaminates. It is never dropped.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """The name of the set in the column contaminates."""
    ids: str | None = None
    """A file that names the clips of the set: one per line, by source_id, platform:source_id, URL or SHA-256. Or a csv file."""
    column: str | None = None
    """If ids is a csv file: the column that holds the ids."""
    signatures: str | None = None
    """The file that `vidal signatures` wrote for the media of the set."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """A clip counts as one of the set if the cosine of their embeddings is at least this. null does not compare meanings."""

    @model_validator(mode="after")
    def _something(self) -> EvaluationSet:
        if self.ids is None and self.signatures is None:
            raise ValueError("give ids, signatures or both")
        if self.semantic is not None and self.signatures is None:
            raise ValueError("semantic compares the embeddings in signatures: give signatures too")
        return self
