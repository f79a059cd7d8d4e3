"""When two clips count as copies."""

from __future__ import annotations

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Duplicates(Settings):
    """When two clips are copies: the same bytes, nearly the same video or recording, or the same meaning."""

    exact: bool = True
    """Whether clips with the same bytes are copies."""
    near: bool = True
    """Whether nearly the same videos and recordings are copies."""
    max_distance: float = Field(default=20.0, ge=0)
    """The largest median distance between the frames of two copies, in bits of 64."""
    motion_min: float = Field(default=0.65, ge=-1, le=1)
    """The lowest correlation of the motion of two copies, -1 to 1."""
    audio_max_difference: float = Field(default=0.12, ge=0, le=1)
    """The largest share of differing bits between the fingerprints of two copies."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """The lowest cosine between the embeddings of two copies; null turns this comparison off."""
    dataset_clips_max: int = Field(default=100_000, ge=0)
    """A build marks copies across shards if the dataset has at most this many clips; above it, run `vidal deduplicate OUT`."""


class EvaluationSet(Settings):
    """Clips that a model will be evaluated on. Clips of a shard that also occur here are marked in `contaminates`, never dropped."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """The name that `contaminates` holds for clips of the set."""
    ids: str | None = None
    """A file with a source id, platform:id, URL or sha256 on each line, or a csv file."""
    column: str | None = None
    """The column of the csv file that holds the ids."""
    signatures: str | None = None
    """The file that `vidal signatures` wrote about the media of the set."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """The lowest cosine at which a clip counts as one of the set; null turns this comparison off."""

    @model_validator(mode="after")
    def _something(self) -> EvaluationSet:
        if self.ids is None and self.signatures is None:
            raise ValueError("give ids, signatures or both")
        if self.semantic is not None and self.signatures is None:
            raise ValueError("semantic compares embeddings: give signatures too")
        return self
