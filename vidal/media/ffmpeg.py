"""The ffmpeg binary that comes with imageio-ffmpeg, driven by ffmpeg-python: no system ffmpeg is needed."""

from __future__ import annotations

import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from vidal.errors import RecordError
from vidal.schema import Reason

# One thread and bitexact muxing: the same input gives the same bytes on every machine.
BITEXACT: dict[str, Any] = {
    "threads": 1,
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
    "flags:a": "+bitexact",
    "map_metadata": -1,
}
H264: dict[str, Any] = {
    "vcodec": "libx264",
    "preset": "veryfast",
    "crf": 18,
    "pix_fmt": "yuv420p",
    "movflags": "+faststart",
}


@lru_cache(maxsize=1)
def executable() -> str:
    return imageio_ffmpeg.get_ffmpeg_exe()


def run(stream: Any, *, timeout_s: float = 600.0) -> None:
    """Runs an ffmpeg-python graph. Raises RecordError(corrupt) with ffmpeg's own last words."""
    command = [*ffmpeg.compile(stream, cmd=executable(), overwrite_output=True), "-nostdin", "-v", "error"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise RecordError(Reason.TIMEOUT, f"ffmpeg took longer than {timeout_s:.0f} s") from error
    if done.returncode != 0:
        raise RecordError(Reason.CORRUPT, done.stderr.decode(errors="replace").strip()[-1000:])


def to_mp4(source: Path, target: Path, *, start_s: float | None = None, duration_s: float | None = None) -> None:
    """Re-encodes a file, or an exact span of it, to H.264 and AAC in MP4. Only local files are read."""
    span = {key: value for key, value in (("ss", start_s), ("t", duration_s)) if value is not None}
    read = ffmpeg.input(str(source), protocol_whitelist="file", **span)
    even = read.video.filter("scale", "trunc(iw*sar/2)*2", "trunc(ih/2)*2").filter("setsar", 1)
    run(ffmpeg.output(even, _optional_audio(read), str(target), format="mp4", acodec="aac", **H264, **BITEXACT))


def cut_audio(source: Path, target: Path, start_s: float, duration_s: float) -> None:
    """An exact span of a sound file, as FLAC."""
    read = ffmpeg.input(str(source), protocol_whitelist="file", ss=start_s, t=duration_s)
    run(ffmpeg.output(read.audio, str(target), format="flac", **BITEXACT))


def to_mp3(source: Path, target: Path) -> None:
    """A sound file as MP3, its rate and channels kept."""
    read = ffmpeg.input(str(source), protocol_whitelist="file")
    run(ffmpeg.output(read.audio, str(target), format="mp3", audio_bitrate="128k", **BITEXACT))


def _optional_audio(read: Any) -> Any:
    return read["a:0?"]
