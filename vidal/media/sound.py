"""Reads the sound track of a file as mono samples, writes such samples, and measures their level."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer

from vidal.errors import RecordError
from vidal.media.arrays import Float64Array, Int16Array
from vidal.media.container import TrackReader, audio_track, ffmpeg_message, open_media, video_track
from vidal.schema import Reason

FULL_SCALE = 32768.0
FLOOR_DB = -120.0  # The level of digital silence, whose logarithm has no value.
# Times in files are rounded, and encoders delay the sound a little: only more than this is a gap.
_GAP_S = 0.05
# If the mix is quieter than this and a channel is louder than the mix by this much, the channels cancel each other.
_QUIET_DB, _CANCELLED_DB = -40.0, 20.0


def read_mono(path: Path, sample_rate: int) -> Int16Array:
    """Returns a sound track as mono samples, (n,) int16 at sample_rate.

    All channels are mixed; if they cancel each other, only the loudest one is used.

    Raises RecordError(bad_audio) if the track does not decode to its end.
    """
    return _whole(*read_decodable(path, sample_rate))


def read_first_channel(path: Path, sample_rate: int) -> Int16Array:
    """Returns the first channel of a sound track, (n,) int16 at sample_rate.

    Raises RecordError(bad_audio) if the track does not decode to its end.
    """
    return _whole(*_read(path, sample_rate, None, channel=0))


def _whole(samples: Int16Array, problem: str) -> Int16Array:
    if problem:
        raise RecordError(Reason.BAD_AUDIO, problem)
    return samples


def read_decodable(path: Path, sample_rate: int, duration_s: float | None = None) -> tuple[Int16Array, str]:
    """Decodes the default sound track, as far as it can be decoded. Returns its samples and a message.

    The samples are mono, (n,) int16 at sample_rate. All channels are mixed; if they cancel each other, only the loudest one is used.
    If a part of the track does not decode, the message is FFmpeg's message about this part. If all parts decode, the message is "".

    duration_s: the length of the video that the sound belongs to. If it is given, the samples begin at the time of the first picture and
    have this length. Where there is no sound, the samples are silent. If duration_s is None, all parts that decode are joined without
    gaps.
    Raises RecordError(bad_audio) if nothing decodes.
    """
    samples, problem = _read(path, sample_rate, duration_s, channel=None)
    mix_db = rms_db(samples)
    if mix_db < _QUIET_DB and (channel := _cancelled_channel(path, mix_db)) is not None:
        return _read(path, sample_rate, duration_s, channel)
    return samples, problem


def _read(path: Path, sample_rate: int, duration_s: float | None, channel: int | None) -> tuple[Int16Array, str]:
    """Decodes a sound track. Returns its samples, (n,) int16 at sample_rate, and FFmpeg's message about a part that does not decode.

    The message is "" if all parts decode. Raises RecordError(bad_audio) if no part decodes.

    channel: the channel to return; None for a mix of all channels.
    duration_s: the length of the result in seconds. The result begins at the time of the first picture. Where there is no sound, the
    result is silent. If duration_s is None, the result is all parts that decode, joined without gaps.
    """
    track, problem, start_s = _Track(sample_rate, channel), "", 0.0
    try:
        with open_media(path) as container:
            reader, start_s = _open_track(container), _clock_start_s(container)
            for frame in reader.frames():
                track.add(frame)
            problem = reader.problem
    except av.error.FFmpegError as error:
        problem = ffmpeg_message(error)
    runs = track.runs()
    if not any(len(samples) for _, samples in runs):
        raise RecordError(Reason.BAD_AUDIO, problem or "the sound track holds no samples")
    if duration_s is None:
        return np.concatenate([samples for _, samples in runs]), problem
    placed = [(round((time_s - start_s) * sample_rate), samples) for time_s, samples in runs]
    return _laid_out(placed, round(duration_s * sample_rate)), problem


def _open_track(container: InputContainer) -> TrackReader:
    track = audio_track(container)
    if track is None:
        raise RecordError(Reason.BAD_AUDIO, "there is no sound track that can be decoded")
    return TrackReader(container, track)


def _clock_start_s(container: InputContainer) -> float:
    """Returns the time of the first picture; 0 if the file has none."""
    video = video_track(container)
    return 0.0 if video is None or video.start_time is None else float(video.start_time * video.time_base)


class _Track:
    """Collects the frames of a sound track in runs: stretches without a gap and in one format.

    channel: the number of the channel to use; None mixes all channels.
    """

    def __init__(self, sample_rate: int, channel: int | None):
        self._rate, self._channel = sample_rate, channel
        self._runs: list[_Run] = []

    def add(self, frame: Any) -> None:
        if not self._runs or not self._runs[-1].is_continued_by(frame):
            self._runs.append(_Run(frame, self._rate, self._channel))
        self._runs[-1].add(frame)

    def runs(self) -> list[tuple[float, Int16Array]]:
        """Returns the start in seconds and the samples, (n,) int16, of each run."""
        return [(run.start_s, run.samples()) for run in self._runs]


class _Run:
    """Resamples a stretch of sound that is in one format and has no gap. channel: the number of the channel to use; None mixes all."""

    def __init__(self, first: Any, sample_rate: int, channel: int | None):
        self.start_s = self._end_s = first.time or 0.0
        self._format = _format_of(first)
        self._resampler = av.AudioResampler(format="s16p", layout="mono" if channel is None else None, rate=sample_rate)
        self._channel = 0 if channel is None else min(channel, len(first.layout.channels) - 1)
        self._blocks: list[Int16Array] = []

    def is_continued_by(self, frame: Any) -> bool:
        has_gap = frame.time is not None and frame.time - self._end_s > _GAP_S
        return not has_gap and _format_of(frame) == self._format

    def add(self, frame: Any) -> None:
        self._end_s += frame.samples / frame.sample_rate
        self._resample(frame)

    def samples(self) -> Int16Array:
        self._resample(None)
        return np.concatenate(self._blocks) if self._blocks else np.empty(0, np.int16)

    def _resample(self, frame: Any) -> None:
        """Resamples a frame of sound and stores its samples. The resampler delays some of them; a last call with None stores these."""
        self._blocks += [block.to_ndarray()[self._channel] for block in self._resampler.resample(frame)]


def _format_of(frame: Any) -> tuple[str, str, int]:
    """Returns the sample format, channel layout and sample rate of a frame. They may change where files were joined."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def _laid_out(placed: list[tuple[int, Int16Array]], count: int) -> Int16Array:
    """Returns the pieces of a sound at their places in an array, (count,) int16, which is 0 elsewhere.

    placed: for each piece, the index of its first sample in the array, and its samples. What lies outside the array is cut off.
    """
    samples = np.zeros(count, np.int16)
    for at, run in placed:
        first, last = max(0, at), min(count, at + len(run))
        if first < last:
            samples[first:last] = run[first - at : last - at]
    return samples


def _cancelled_channel(path: Path, mix_db: float) -> int | None:
    """Returns the number of the loudest channel if the channels cancel each other in the mix; else None.

    mix_db: the level of the mix, in dBFS.
    """
    levels_db = _channel_levels_db(path)
    loudest = int(np.argmax(levels_db))
    return loudest if len(levels_db) > 1 and levels_db[loudest] - mix_db > _CANCELLED_DB else None


def _channel_levels_db(path: Path) -> list[float]:
    """Returns the level of each channel of the default track in dBFS."""
    powers: list[Float64Array] = []
    with (
        open_media(path) as container,
        contextlib.suppress(av.error.FFmpegError),
    ):  # The mix lacks what follows an error, too.
        resampler, first = av.AudioResampler(format="s16p"), None
        for frame in _open_track(container).frames():
            first = first or _format_of(frame)
            if _format_of(frame) == first:
                powers += [
                    _powers(block.to_ndarray().astype(np.int16, copy=False)) for block in resampler.resample(frame)
                ]
    return [level_db(float(power)) for power in np.mean(powers, axis=0)]


def _powers(samples: Int16Array) -> Float64Array:
    """Returns the mean square of each channel's samples, scaled to -1..1. samples: (channels, n) int16."""
    powers: Float64Array = np.mean((samples / FULL_SCALE) ** 2, axis=1)
    return powers


def write_flac(samples: Int16Array, sample_rate: int, path: Path) -> None:
    """Writes a FLAC file. samples: (n,) int16 mono. The same samples give the same bytes."""
    with av.open(str(path), "w", format="flac", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("flac", rate=sample_rate, layout="mono", format="s16")
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[None, :]), format="s16", layout="mono")
        frame.sample_rate = sample_rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)


def rms_db(samples: Int16Array) -> float:
    """Returns the root mean square level in dBFS, to two decimals; FLOOR_DB for digital silence. samples: (n,) int16."""
    return level_db(float(np.mean((samples.astype(np.float64) / FULL_SCALE) ** 2)))


def level_db(power: float) -> float:
    """Returns a power as a level in dBFS, to two decimals; at least FLOOR_DB. power: full scale is 1."""
    return round(max(FLOOR_DB, 10.0 * float(np.log10(power))), 2) if power > 0 else FLOOR_DB
