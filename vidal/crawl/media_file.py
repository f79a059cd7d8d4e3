"""A downloaded media file, and a span of it that becomes a clip."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from vidal import ids
from vidal.media.probe import Probe, probe
from vidal.schema import Kind


@dataclass(frozen=True)
class MediaFile:
    """A file as it was fetched. kind: what its clips will be; a video may be wanted for its sound alone."""

    path: Path
    properties: Probe
    sha256: str
    kind: Kind


@dataclass(frozen=True)
class Span:
    """is_whole: the span is the whole file, which may be stored as it is."""

    start_s: float
    duration_s: float
    is_whole: bool = False


def inspect_file(path: Path, kind: str | None, max_pixels: int) -> MediaFile:
    """Probes a file. kind: the kind that the page or the catalogue states. Raises RecordError if the file is not usable media."""
    properties = probe(path, max_pixels=max_pixels)
    is_sound = properties.kind == Kind.AUDIO.value or kind == Kind.AUDIO.value
    return MediaFile(path, properties, ids.file_sha256(path), Kind.AUDIO if is_sound else Kind.VIDEO)
