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
    """Bits of 64 between the frames of two videos, in the median, at most."""
    motion_min: float = Field(default=0.65, ge=-1, le=1)
    """How alike two videos must move, -1 to 1."""
    audio_max_difference: float = Field(default=0.12, ge=0, le=1)
    """Share of differing bits between two fingerprints of sounds, at most."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """Cosine of two embeddings from which clips are copies; null is off."""
    dataset_clips_max: int = Field(default=20_000, ge=0)
    """Clips of a dataset up to which a build marks copies across its shards; beyond that, run `vidal deduplicate OUT`."""


class EvaluationSet(Settings):
    """Clips that a model will be evaluated on. Clips of a shard that are among them are marked in `contaminates`, never dropped."""

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """Stands in `contaminates` of the clips of the set."""
    ids: str | None = None
    """A file with a source id, platform:id, URL or sha256 in each line, or a csv."""
    column: str | None = None
    """The column of a csv of ids."""
    signatures: str | None = None
    """What `vidal signatures` wrote of the media of the set."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """Cosine from which a clip counts as one of the set; null is off."""

    @model_validator(mode="after")
    def _something(self) -> EvaluationSet:
        if self.ids is None and self.signatures is None:
            raise ValueError("give ids, signatures or both")
        if self.semantic is not None and self.signatures is None:
            raise ValueError("semantic needs signatures")
        return self
