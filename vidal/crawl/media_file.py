"""A downloaded media file, and a span of it that becomes a clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidal import ids
from vidal.config.recipe import Recipe
from vidal.media import limited
from vidal.media.probe import Probe, probe
from vidal.schema import Kind


@dataclass(frozen=True)
class MediaFile:
    """A file as it was fetched. kind: the kind of its clips, which is AUDIO for a video that is wanted for its sound alone."""

    path: Path
    properties: Probe
    sha256: str
    kind: Kind


@dataclass(frozen=True)
class Span:
    """A span of a file. is_whole: the span is the whole file, which may be stored as it is."""

    start_s: float
    duration_s: float
    is_whole: bool = False


def inspect_file(path: Path, kind: str | None, recipe: Recipe) -> MediaFile:
    """Probes a file. kind: what the page or the catalogue says it is. Raises RecordError if the file is not usable media of this kind."""
    max_pixels = recipe.crawl.max_pixels
    limits = recipe.decoding.limits(max_pixels=max_pixels)
    properties = limited.call(limits, probe, path, max_pixels=max_pixels, kind=kind)
    return MediaFile(path, properties, ids.file_sha256(path), Kind(properties.kind))
