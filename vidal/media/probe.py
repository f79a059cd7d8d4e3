"""Probes a media file: its streams, true duration and size, and whether it decodes to its end.

Everything is read from the file itself. The claims of the page that links to it are not trusted.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from vidal.errors import RecordError, raised_by
from vidal.media.ffmpeg import INPUT_LIMITS
from vidal.schema import Reason

# A file whose packets end at most this long before the stated end is not truncated: audio priming and rounding explain the difference.
END_SLACK_S = 0.75
# No camera has pixels this many times as wide as high, or as high as wide: such a file states nonsense.
_ASPECT_MAX = 100


@dataclass(frozen=True)
class Probe:
    """The properties of a media file.

    kind: "video" or "audio". codec: of the video stream, or else of the audio stream. width, height: in pixels as displayed, after
    rotation and sample aspect; 0 without video. fps: 0 without video.
    """

    kind: str
    container: str
    codec: str
    duration_s: float
    fps: float
    width: int
    height: int
    has_audio: bool


def ffmpeg_message(error: Exception) -> str:
    """Returns FFmpeg's message without the path of the file, which is in a temporary folder."""
    return str(getattr(error, "strerror", None) or error)


def open_media(path: Path) -> InputContainer:
    """Opens a local media file with PyAV. Raises av.error.FFmpegError.

    Playlists and scripts are refused, and the file cannot make FFmpeg open any other file.
    """
    return av.open(str(path), options=dict(INPUT_LIMITS), metadata_errors="replace")


def probe(path: Path, *, max_pixels: int) -> Probe:
    """Returns the properties of a file. Raises RecordError: empty_file, not_media, too_many_pixels, truncated, corrupt.

    max_pixels: of a displayed frame. The last frame is decoded, and a sound track without video is decoded whole.
    """
    if path.stat().st_size == 0:
        raise RecordError(Reason.EMPTY_FILE, "the file has no bytes")
    with _typed(Reason.NOT_MEDIA):
        try:
            container = open_media(path)
        except (
            av.error.ArgumentError
        ) as error:  # FFmpeg only says "Invalid argument" of formats that INPUT_LIMITS excludes.
            raise RecordError(
                Reason.NOT_MEDIA, "its format is not one that holds moving pictures or sound itself"
            ) from error
    with container, _typed(Reason.CORRUPT):
        return _probe(container, max_pixels)


@contextlib.contextmanager
def _typed(reason: Reason) -> Iterator[None]:
    """Turns any exception that PyAV raises on untrusted bytes into a RecordError. An exception of our own is a bug and propagates."""
    try:
        yield
    except RecordError:
        raise
    except Exception as error:
        if not isinstance(error, av.error.FFmpegError) and raised_by(error, ("vidal", "av")) != "av":
            raise
        raise RecordError(reason, ffmpeg_message(error)) from error


def _probe(container: InputContainer, max_pixels: int) -> Probe:
    video: Any = next((s for s in container.streams.video if not s.disposition & _COVER and s.codec_context), None)
    audio: Any = next((s for s in container.streams.audio if s.codec_context), None)
    name = container.format.name
    if video is None and audio is None:  # A stream without a codec context is one that FFmpeg has no decoder for.
        raise RecordError(Reason.NOT_MEDIA, f"no moving pictures or sound that can be decoded in a {name} file")
    if video is None:
        return Probe("audio", name, audio.codec_context.name, _audio_duration(container, audio), 0.0, 0, 0, True)
    codec = video.codec_context
    _check_size(codec.width, codec.height, video, max_pixels)
    duration_s = _video_duration(container, video)
    frame = _last_frame(container, video)
    _check_size(frame.width, frame.height, video, max_pixels)
    width, height = displayed_size(frame, video)
    fps = float(video.average_rate or video.guessed_rate or 0)
    return Probe("video", name, codec.name, duration_s, fps, width, height, audio is not None)


def _check_size(width: int, height: int, stream: Any, max_pixels: int) -> None:
    """Raises RecordError if the frames are too large, as stored or as displayed, or if their pixel aspect is absurd."""
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    if width * height * max(Fraction(1), aspect) > max_pixels:
        raise RecordError(Reason.TOO_MANY_PIXELS, f"{width}x{height}, pixels {float(aspect):g} times as wide as high")
    if not 1 / _ASPECT_MAX <= aspect <= _ASPECT_MAX:
        raise RecordError(Reason.CORRUPT, f"{width}x{height}, pixels {float(aspect):g} times as wide as high")


_COVER = av.stream.Disposition.attached_pic


def displayed_size(frame: Any, stream: Any) -> tuple[int, int]:
    """Returns (width, height) in pixels after the sample aspect and the display rotation. frame, stream: PyAV's, of a video."""
    aspect = stream.sample_aspect_ratio or 1
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def packet_times(container: InputContainer, stream: Any) -> list[tuple[int, int, bool]]:
    """Returns (pts, duration, is key frame) of every packet of a stream, in the order of pts and in the stream's time base.

    The file is read, but nothing is decoded.
    """
    times: list[tuple[int, int, bool]] = []
    for packet in container.demux(stream):
        pts = packet.pts if packet.pts is not None else packet.dts
        if packet.size and pts is not None and not packet.is_discard:
            times.append((pts, packet.duration or 0, bool(packet.is_keyframe)))
    return sorted(times)


def _video_duration(container: InputContainer, stream: Any) -> float:
    packets = _packets(container, stream)
    first, (last, step, _) = packets[0][0], packets[-1]
    measured = float((last + step - first) * stream.time_base)
    stated = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if stated - measured > max(END_SLACK_S, 0.05 * stated):
        raise RecordError(
            Reason.TRUNCATED, f"the container says {stated:.2f} s, its packets end after {measured:.2f} s"
        )
    return measured or stated


def _audio_duration(container: InputContainer, stream: Any) -> float:
    stated = float(stream.duration * stream.time_base) if stream.duration else 0.0
    try:
        frames = [(frame.samples, frame.sample_rate) for frame in container.decode(stream)]
    except av.error.InvalidDataError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error
    measured = math.fsum(samples / rate for samples, rate in frames)
    if not frames:
        raise RecordError(Reason.CORRUPT, "the sound does not decode")
    if stated - measured > max(END_SLACK_S, 0.05 * stated):
        raise RecordError(Reason.TRUNCATED, f"the container says {stated:.2f} s, {measured:.2f} s decode")
    return measured


def _packets(container: InputContainer, stream: Any) -> list[tuple[int, int, bool]]:
    try:
        packets = packet_times(container, stream)
    except av.error.InvalidDataError as error:
        raise RecordError(Reason.TRUNCATED, ffmpeg_message(error)) from error
    if not packets:
        raise RecordError(Reason.TRUNCATED, "the container declares pictures, but contains none")
    return packets


def _last_frame(container: InputContainer, stream: Any) -> Any:
    """Decodes from the last key frame to the end, and returns the last frame. Raises RecordError(corrupt) if none decodes."""
    frame = None
    stream.codec_context.thread_count = (
        1  # The crawl has threads of its own; more would cost more than so few frames take.
    )
    try:
        container.seek((stream.start_time or 0) + (stream.duration or 2**40), stream=stream, backward=True)
        for frame in container.decode(stream):  # noqa: B007 - only the last frame is used
            pass
        if frame is None:  # Some demuxers have no index to seek by, so decode from the start.
            container.seek(stream.start_time or 0, stream=stream, backward=True)
            frame = next(iter(container.decode(stream)), None)
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, ffmpeg_message(error)) from error
    if frame is None:
        raise RecordError(Reason.CORRUPT, "no picture decodes")
    return frame
