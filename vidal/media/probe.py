"""Probes a media file: its tracks, its duration, the size of its pictures, and whether it decodes to its end.

Everything is read from the file itself. The claims of the page that links to it are not trusted.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
from av.container import InputContainer

from vidal.errors import RecordError, raised_by
from vidal.media import bare_streams, dynamic_range
from vidal.media.container import (
    PacketTime,
    TrackReader,
    audio_track,
    ffmpeg_message,
    open_media,
    read_packet_times,
    video_track,
)
from vidal.media.display import displayed_size
from vidal.media.orientation import orientation_of
from vidal.media.still_picture import refusal_of_format
from vidal.schema import Kind, Reason

# A file whose packets end at most this long before the stated end is not truncated: audio priming and rounding explain the difference.
END_SLACK_S = 0.75
# No camera has pixels that are more than this many times as wide as high, or as high as wide: the file's sample aspect is wrong.
_ASPECT_MAX = 100


# Where bare streams were joined, or end in tags, a few packets do not decode. Players skip them.
_DAMAGED_SHARE_MAX = 0.05


@dataclass(frozen=True)
class Probe:
    """The properties of a media file.

    kind: "video" or "audio". codec: the codec of the video track, or else of the audio track. width, height: the size in pixels as
    displayed, after display matrix and sample aspect; 0 without video. fps: 0 if there is no video or its rate is unknown. video_index,
    audio_index: the indices of the tracks that players choose, counted over all tracks of the file; None if there is no such track.
    Only the end of a video is decoded. is_hdr: whether the very last picture has a high dynamic range. is_interlaced: whether any of the
    decoded pictures is interlaced.
    """

    kind: str
    container: str
    codec: str
    duration_s: float
    fps: float
    width: int
    height: int
    video_index: int | None
    audio_index: int | None
    is_hdr: bool = False
    is_interlaced: bool = False

    @property
    def has_audio(self) -> bool:
        return self.audio_index is not None


def probe(path: Path, *, max_pixels: int, kind: str | None = None) -> Probe:
    """Returns the properties of a file. The end of a video is decoded; a file with sound only is decoded as a whole.

    max_pixels: the most pixels that a frame may have. The limit applies to the frame as stored, and to the frame as displayed with square
    pixels. kind: "video" or "audio" if the caller needs one of them; None accepts both.

    Raises RecordError: empty_file, not_media, still_picture, animated_picture, no_pictures, no_audio, too_many_pixels, truncated,
    corrupt, too_costly.
    """
    if path.stat().st_size == 0:
        raise RecordError(Reason.EMPTY_FILE, "the file has no bytes")
    with _typed(Reason.NOT_MEDIA):
        try:
            container = open_media(path)
        except av.error.ArgumentError as error:  # FFmpeg's answer to formats that INPUT_LIMITS excludes.
            raise refusal_of_format(path) from error
    with container, _typed(Reason.CORRUPT):
        return _Prober(path, container, max_pixels).probe(kind)


@contextlib.contextmanager
def _typed(reason: Reason) -> Iterator[None]:
    """Turns any exception that PyAV raises on untrusted bytes into a RecordError(reason). Other exceptions propagate."""
    try:
        yield
    except RecordError:
        raise
    except Exception as error:
        if not isinstance(error, av.error.FFmpegError) and raised_by(error, ("vidal", "av")) != "av":
            raise
        raise RecordError(reason, ffmpeg_message(error)) from error


@dataclass(frozen=True)
class _Ending:
    """The last frame of a video, and whether any frame that was decoded on the way is interlaced."""

    frame: Any
    is_interlaced: bool


class _Prober:
    def __init__(self, path: Path, container: InputContainer, max_pixels: int):
        self._path, self._container, self._max_pixels = path, container, max_pixels
        self._name = container.format.name

    def probe(self, kind: str | None) -> Probe:
        video = None if kind == Kind.AUDIO.value else video_track(self._container)
        audio = audio_track(self._container)
        if kind == Kind.AUDIO.value and audio is None:
            raise RecordError(
                Reason.NO_AUDIO, f"a sound is wanted, but the {self._name} file has no sound that can be decoded"
            )
        if video is None and audio is None:
            raise RecordError(
                Reason.NOT_MEDIA, f"the {self._name} file has neither moving pictures nor sound that can be decoded"
            )
        if kind == Kind.VIDEO.value and video is None:
            raise RecordError(
                Reason.NO_PICTURES, f"a video is wanted, but the {self._name} file has no pictures that move"
            )
        return self._probe_sound(audio) if video is None else self._probe_video(video, audio)

    def _probe_sound(self, audio: Any) -> Probe:
        duration_s = self._sound_duration(audio)
        return Probe("audio", self._name, audio.codec_context.name, duration_s, 0.0, 0, 0, None, audio.index)

    def _probe_video(self, video: Any, audio: Any) -> Probe:
        codec = video.codec_context
        first_size = codec.width, codec.height  # Later pictures are fitted into the size of the first.
        _check_size(*first_size, video, self._max_pixels)
        fps = float(video.average_rate or video.guessed_rate or 0)
        duration_s = self._video_duration(video, fps)
        ending = self._decode_ending(video)
        frame = ending.frame
        _check_size(frame.width, frame.height, video, self._max_pixels)
        width, height = displayed_size(*first_size, video, orientation_of(frame))
        return Probe(
            "video", self._name, codec.name, duration_s, fps, width, height, video.index, audio.index if audio else None,
            dynamic_range.is_high(frame), ending.is_interlaced,
        )  # fmt: skip

    def _video_duration(self, stream: Any, fps: float) -> float:
        times, untimed = self._read_times(stream)
        if untimed:  # The format has no clock, or packets precede the first timestamp.
            measured = (len(times) + untimed) / (fps or 25.0)
        else:
            measured = float((times[-1].pts + times[-1].duration - times[0].pts) * stream.time_base)
            stated = float(stream.duration * stream.time_base) if stream.duration else 0.0
            self._check_length(stated, measured, "its packets end after")
            measured = measured or stated
        if len(times) + untimed == 1:
            raise RecordError(Reason.STILL_PICTURE, f"the {self._name} file has a single picture, so it is not a video")
        return measured

    def _read_times(self, stream: Any) -> tuple[list[PacketTime], int]:
        try:
            times, untimed = read_packet_times(self._container, stream)
        except av.error.InvalidDataError as error:
            raise RecordError(Reason.TRUNCATED, ffmpeg_message(error)) from error
        if not times and not untimed:
            raise RecordError(Reason.TRUNCATED, "the container declares pictures, but contains none")
        return times, untimed

    def _sound_duration(self, stream: Any) -> float:
        reader, rates, measured = TrackReader(self._container, stream), set[int](), 0.0
        for frame in reader.frames():
            measured += frame.samples / frame.sample_rate
            rates.add(frame.sample_rate)
        if not rates:
            raise RecordError(Reason.CORRUPT, reader.problem or "the sound does not decode")
        _check_damage(reader, self._name)
        stated = float(stream.duration * stream.time_base) if stream.duration else 0.0
        self._check_length(stated, measured, "the sound that decodes lasts")
        return measured

    def _check_length(self, stated_s: float, measured_s: float, what: str) -> None:
        """Raises RecordError(truncated) if the file is clearly shorter than its container states.

        what: the words before measured_s in the error, such as "its packets end after".
        """
        is_short = stated_s - measured_s > max(END_SLACK_S, 0.05 * stated_s)
        if is_short and not bare_streams.is_bare(self._name):
            raise RecordError(
                Reason.TRUNCATED,
                f"the file is shorter than the {stated_s:.2f} s that its container states: {what} {measured_s:.2f} s",
            )

    def _decode_ending(self, stream: Any) -> _Ending:
        """Decodes from the last key frame to the end. Raises RecordError(corrupt) if nothing decodes, or too much is damaged."""
        try:
            self._container.seek((stream.start_time or 0) + (stream.duration or 2**40), stream=stream, backward=True)
            ending = _decode(self._container, stream)
        except av.error.FFmpegError:
            ending = None
        if ending is not None:
            return ending
        # Many formats have no index to seek by, and the last key frame may be the first: decode from the start.
        with open_media(self._path) as container:
            ending = _decode(container, container.streams[stream.index])
        if ending is None:
            raise RecordError(Reason.CORRUPT, "no picture decodes")
        return ending


def _decode(container: InputContainer, stream: Any) -> _Ending | None:
    # The crawl has threads of its own; more would cost more than so few frames take.
    stream.codec_context.thread_count = 1
    reader, last, is_interlaced = TrackReader(container, stream), None, False
    for frame in reader.frames():
        last, is_interlaced = frame, is_interlaced or frame.interlaced_frame
    _check_damage(reader, container.format.name)
    return None if last is None else _Ending(last, is_interlaced)


def _check_damage(reader: TrackReader, container: str) -> None:
    """Raises RecordError(corrupt) if too many packets do not decode.

    The limit is 0 for most formats. For bare streams, such as MP3, it is 5 % of the packets, but at least 1 packet.
    """
    if reader.damaged > (max(1, _DAMAGED_SHARE_MAX * reader.packets) if bare_streams.is_bare(container) else 0):
        raise RecordError(
            Reason.CORRUPT, f"{reader.damaged} of {reader.packets} packets do not decode: {reader.problem}"
        )


def _check_size(width: int, height: int, stream: Any, max_pixels: int) -> None:
    """Raises RecordError(too_many_pixels) if a frame has more than max_pixels pixels, as stored or as displayed.

    If a file states that its pixels are wider than high, its frames are displayed wider than they are stored. If the stated shape of
    the pixels is impossible, raises RecordError(corrupt).

    width, height: the size of a frame as stored.
    """
    aspect = Fraction(stream.sample_aspect_ratio or 1)
    shape = f"{width}x{height} with pixels {float(aspect):g} times as wide as high"
    if width * height * max(Fraction(1), aspect) > max_pixels:
        raise RecordError(
            Reason.TOO_MANY_PIXELS,
            f"a frame of {shape} has more than {max_pixels} pixels, as stored or once its pixels are square: raise crawl.max_pixels",
        )
    if not 1 / _ASPECT_MAX <= aspect <= _ASPECT_MAX:
        raise RecordError(Reason.CORRUPT, f"the file states frames of {shape}: no camera produces such pixels")
