"""When two clips count as copies."""

from __future__ import annotations

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Duplicates(Settings):
    """How copies are found. Two clips are copies if they have the same bytes, are nearly the same, or have the same meaning."""

    exact: bool = True
    """Whether clips with the same bytes are copies."""
    near: bool = True
    """Whether videos or sounds that are nearly the same are copies."""
    max_distance: float = Field(default=20.0, ge=0)
    """Each frame has a perceptual hash of 64 bits. Two videos are nearly the same only if the hashes of their frames differ in at most
    this many bits (the median over the frames)."""
    motion_min: float = Field(default=0.65, ge=-1, le=1)
    """Two moving videos are nearly the same only if their motion correlates at least this much (-1 to 1). If one video
    stands still, hashes that differ in at most 4 bits are enough."""
    audio_max_difference: float = Field(default=0.12, ge=0, le=1)
    """Two sounds are nearly the same if at most this share of the bits of their audio fingerprints differs."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """Two clips have the same meaning if the cosine of their embeddings is at least this. `null` does not compare meanings."""
    dataset_clips_max: int = Field(default=100_000, ge=0)
    """A build marks copies across shards only if the dataset has at most this many clips. For a larger dataset, run `vidal
    deduplicate OUT`."""


class EvaluationSet(Settings):
    """An evaluation set holds clips that you test models on. Clips of the dataset that are in the set, or are copies of its clips,
    are marked in the column `contaminates`. They are not dropped.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    """Name of the set in the column `contaminates`."""
    ids: str | None = None
    """A file with one clip of the set per line, named by source_id, platform:source_id, URL or SHA-256. A csv or tsv file
    needs `column` too."""
    column: str | None = None
    """Column with the ids, if `ids` is a csv or tsv file."""
    signatures: str | None = None
    """A file that `vidal signatures` wrote for the media of the set. Give `ids`, `signatures` or both."""
    semantic: float | None = Field(default=None, gt=0, le=1)
    """A clip also counts as a copy if its embedding has at least this cosine with an embedding in `signatures`. `null` does not
    compare embeddings."""

    @model_validator(mode="after")
    def _something(self) -> EvaluationSet:
        if self.ids is None and self.signatures is None:
            raise ValueError("give ids, signatures or both")
        if self.semantic is not None and self.signatures is None:
            raise ValueError("semantic needs the embeddings in the file `signatures`: give signatures too")
        return self
