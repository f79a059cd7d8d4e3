"""What a file is: streams, true duration and size, and whether it decodes to its end. The page's word counts for nothing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av

from vidal.errors import RecordError
from vidal.schema import Reason

# Packets may end this much before the container says (audio priming, rounding) without being a truncation.
END_SLACK_S = 0.75
# A container of these formats is a list of other files, or not media.
NOT_MEDIA_FORMATS = {"hls", "dash", "concat", "tty", "image2", "png_pipe", "jpeg_pipe", "gif", "webvtt", "srt"}


@dataclass(frozen=True)
class Probe:
    """width, height: as displayed, after rotation and sample aspect; 0 without video. codec: of video, else of audio."""

    kind: str
    container: str
    codec: str
    duration_s: float
    fps: float
    width: int
    height: int
    has_audio: bool


def message(error: Exception) -> str:
    """FFmpeg's words without the path of the work folder."""
    return str(getattr(error, "strerror", None) or error)


def open_media(path: Path) -> Any:
    """Opens a local file with PyAV; nothing but files can be reached from inside it."""
    return av.open(str(path), options={"protocol_whitelist": "file"})


def probe(path: Path, *, max_pixels: int) -> Probe:
    """Raises RecordError: empty_file, not_media, too_many_pixels, truncated, corrupt."""
    if path.stat().st_size == 0:
        raise RecordError(Reason.EMPTY_FILE, "the file has no bytes")
    try:
        container = open_media(path)
    except (av.error.FFmpegError, ValueError) as error:
        raise RecordError(Reason.NOT_MEDIA, message(error)) from error
    with container:
        try:
            return _probe(container, max_pixels)
        except av.error.FFmpegError as error:
            raise RecordError(Reason.CORRUPT, message(error)) from error


def _probe(container: Any, max_pixels: int) -> Probe:
    video: Any = next((s for s in container.streams.video if not s.disposition & _COVER), None)
    audio: Any = next(iter(container.streams.audio), None)
    formats = set(container.format.name.split(","))
    if (video is None and audio is None) or formats & NOT_MEDIA_FORMATS:
        raise RecordError(Reason.NOT_MEDIA, f"no moving pictures or sound in a {container.format.name} file")
    if video is None:
        return Probe(
            "audio", container.format.name, audio.codec_context.name, _audio_duration(container, audio), 0.0, 0, 0, True
        )
    if video.codec_context.width * video.codec_context.height > max_pixels:
        raise RecordError(Reason.TOO_MANY_PIXELS, f"{video.codec_context.width}x{video.codec_context.height}")
    duration_s = _video_duration(container, video)
    frame = _last_frame(container, video)
    width, height = displayed_size(frame, video)
    fps = float(video.average_rate or video.guessed_rate or 0)
    return Probe(
        "video", container.format.name, video.codec_context.name, duration_s, fps, width, height, audio is not None
    )


_COVER = av.stream.Disposition.attached_pic


def displayed_size(frame: Any, stream: Any) -> tuple[int, int]:
    """(width, height) after sample aspect and the display rotation."""
    aspect = stream.sample_aspect_ratio or 1
    width, height = max(1, round(frame.width * aspect)), frame.height
    return (height, width) if frame.rotation % 180 else (width, height)


def packet_times(container: Any, stream: Any) -> list[tuple[int, int, bool]]:
    """(pts, duration, is key frame) of every packet of a stream, by pts. Reads the file, decodes nothing."""
    found = []
    for packet in container.demux(stream):
        pts = packet.pts if packet.pts is not None else packet.dts
        if packet.size and pts is not None and not packet.is_discard:
            found.append((pts, packet.duration or 0, bool(packet.is_keyframe)))
    return sorted(found)


def _video_duration(container: Any, stream: Any) -> float:
    packets = _packets(container, stream)
    first, (last, step, _) = packets[0][0], packets[-1]
    measured = float((last + step - first) * stream.time_base)
    stated = float(stream.duration * stream.time_base) if stream.duration else 0.0
    if stated - measured > max(END_SLACK_S, 0.05 * stated):
        raise RecordError(
            Reason.TRUNCATED, f"the container says {stated:.2f} s, its packets end after {measured:.2f} s"
        )
    return measured or stated


def _audio_duration(container: Any, stream: Any) -> float:
    stated = float(stream.duration * stream.time_base) if stream.duration else 0.0
    try:
        frames = [(frame.samples, frame.sample_rate) for frame in container.decode(stream)]
    except av.error.InvalidDataError as error:
        raise RecordError(Reason.CORRUPT, message(error)) from error
    measured = math.fsum(samples / rate for samples, rate in frames)
    if not frames:
        raise RecordError(Reason.CORRUPT, "the sound does not decode")
    if stated - measured > max(END_SLACK_S, 0.05 * stated):
        raise RecordError(Reason.TRUNCATED, f"the container says {stated:.2f} s, {measured:.2f} s decode")
    return measured


def _packets(container: Any, stream: Any) -> list[tuple[int, int, bool]]:
    try:
        packets = packet_times(container, stream)
    except av.error.InvalidDataError as error:
        raise RecordError(Reason.TRUNCATED, message(error)) from error
    if not packets:
        raise RecordError(Reason.TRUNCATED, "the container announces pictures, but holds none")
    return packets


def _last_frame(container: Any, stream: Any) -> Any:
    """Decodes from the last key frame to the end. Raises RecordError(corrupt) where that gives no picture."""
    frame = None
    try:
        container.seek((stream.start_time or 0) + (stream.duration or 2**40), stream=stream, backward=True)
        for frame in container.decode(stream):  # noqa: B007 - the last one is wanted
            pass
        if frame is None:  # Some demuxers have no index to seek by: then from the start.
            container.seek(stream.start_time or 0, stream=stream, backward=True)
            frame = next(iter(container.decode(stream)), None)
    except av.error.FFmpegError as error:
        raise RecordError(Reason.CORRUPT, message(error)) from error
    if frame is None:
        raise RecordError(Reason.CORRUPT, "no picture decodes")
    return frame
