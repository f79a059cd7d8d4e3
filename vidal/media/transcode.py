"""Writes a video, or an exact span of it, as MP4, and an exact span of a sound as FLAC."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import ffmpeg

from vidal.media.ffmpeg import BITEXACT, H264, open_input, run
from vidal.media.probe import Probe
from vidal.media.settings import Limits

# FFmpeg's names of containers with an index, by which FFmpeg finds the key frame before any time. In others, it guesses the place.
_INDEXED = ("mp4", "matroska")
# Linear light with 1.0 at reference white (203 nits), sRGB's primaries, highlights compressed: see dynamic_range.py.
_TONE_MAPPING: tuple[tuple[str, dict[str, str | float]], ...] = (
    ("zscale", {"transfer": "linear", "npl": 203}),
    ("format", {"pix_fmts": "gbrpf32le"}),
    ("zscale", {"primaries": "bt709"}),
    ("tonemap", {"tonemap": "mobius", "param": 0.85, "desat": 0}),
    ("zscale", {"transfer": "bt709", "matrix": "bt709", "range": "tv"}),
    ("format", {"pix_fmts": "yuv420p"}),
)


def is_indexed(properties: Probe) -> bool:
    return any(name in properties.container for name in _INDEXED)


def to_mp4(
    source: Path,
    target: Path,
    properties: Probe,
    limits: Limits,
    span: tuple[float, float] | None = None,
    *,
    seeks: bool = True,
) -> None:
    """Re-encodes a video, or a span of it, to H.264 and AAC in MP4. All pictures get one size with even sides and square pixels.

    span: (start, duration) in seconds; None means the whole video. seeks: whether decoding begins at the key frame before the span;
    otherwise it begins at the start of the file.

    No file but the source is opened, even if the source names others. Raises RecordError: corrupt, too_costly, timeout, crashed.
    """
    before, after = _span_options(span, seeks)
    read = open_input(source, **before)
    streams = [_shown(read[str(properties.video_index)], properties)]
    if properties.audio_index is not None:
        streams.append(read[str(properties.audio_index)])
    run(ffmpeg.output(*streams, str(target), format="mp4", acodec="aac", **after, **H264, **BITEXACT), limits)


def cut_audio(source: Path, target: Path, properties: Probe, limits: Limits, span: tuple[float, float]) -> None:
    """Writes a span of a sound, (start, duration) in seconds, as FLAC. Raises RecordError: corrupt, too_costly, timeout, crashed."""
    before, after = _span_options(span, is_indexed(properties))
    read = open_input(source, **before)[str(properties.audio_index)]
    run(ffmpeg.output(read, str(target), format="flac", **after, **BITEXACT), limits)


def _span_options(span: tuple[float, float] | None, seeks: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the options of ffmpeg that select a span: those of the input, and those of the output."""
    if span is None:
        return {}, {}
    options = {"ss": span[0], "t": span[1]}
    return (options, {}) if seeks else ({}, options)


def _shown(video: Any, properties: Probe) -> Any:
    """Returns the stream with filters that deinterlace it, convert HDR to SDR, make pixels square, and fit all pictures to one size."""
    if properties.is_interlaced:
        video = video.filter("bwdif", mode="send_frame", deint="interlaced")
    if properties.is_hdr:
        for name, options in _TONE_MAPPING:
            video = video.filter(name, **options)
    square = video.filter("scale", "trunc(iw*sar/2)*2", "trunc(ih/2)*2").filter("setsar", 1)
    width, height = (max(2, side // 2 * 2) for side in (properties.width, properties.height))
    fitted = square.filter("scale", width, height, force_original_aspect_ratio="decrease", force_divisible_by=2)
    return fitted.filter("pad", width, height, -1, -1).filter("setsar", 1)
