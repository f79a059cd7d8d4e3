"""Reads and writes sound tracks as mono samples, and measures their level."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np

from vidal.errors import RecordError
from vidal.media.arrays import Int16Array
from vidal.media.probe import ffmpeg_message, open_media
from vidal.schema import Reason

FLOOR_DB = -120.0  # The level of digital silence, whose logarithm has no value.


def read_mono(path: Path, sample_rate: int) -> Int16Array:
    """Returns (n,) int16 at sample_rate, all channels mixed. Raises RecordError(bad_audio) if it does not decode to its end."""
    return _whole(*read_decodable(path, sample_rate))


def read_first_channel(path: Path, sample_rate: int) -> Int16Array:
    """Returns (n,) int16 at sample_rate, the first channel. Raises RecordError(bad_audio) if it does not decode to its end."""
    return _whole(*read_decodable(path, sample_rate, layout=None))


def _whole(samples: Int16Array, problem: str) -> Int16Array:
    if problem:
        raise RecordError(Reason.BAD_AUDIO, problem)
    return samples


def read_decodable(path: Path, sample_rate: int, layout: str | None = "mono") -> tuple[Int16Array, str]:
    """Returns the samples up to the first fault, (n,) int16 as from read_mono, and FFmpeg's message about it, or "" if there is none.

    layout: "mono" mixes the channels; None keeps them, and the first is returned. Raises RecordError(bad_audio) if nothing decodes.
    """
    blocks: list[Int16Array] = []
    problem = ""
    try:
        with open_media(path) as container:
            resampler = av.AudioResampler(format="s16p", layout=layout, rate=sample_rate)
            for frame in container.decode(audio=0):
                blocks += [block.to_ndarray()[0] for block in resampler.resample(frame)]
            blocks += [block.to_ndarray()[0] for block in resampler.resample(None)]
    except (av.error.FFmpegError, IndexError) as error:
        problem = ffmpeg_message(error)
    if not blocks:
        raise RecordError(Reason.BAD_AUDIO, problem or "the sound track holds no samples")
    return np.concatenate(blocks), problem


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
    """Returns the root mean square level in dBFS, to two digits; FLOOR_DB for digital silence. samples: (n,) int16."""
    power = float(np.mean((samples.astype(np.float64) / 32768.0) ** 2))
    return round(max(FLOOR_DB, 10.0 * np.log10(power)), 2) if power > 0 else FLOOR_DB
