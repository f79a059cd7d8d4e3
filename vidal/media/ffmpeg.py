"""The ffmpeg binary that comes with imageio-ffmpeg, driven by ffmpeg-python: no system ffmpeg is needed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from vidal.errors import RecordError
from vidal.schema import Reason

# Formats that contain moving pictures or sound. Playlists, scripts, descriptions of streams and still pictures are left out:
# FFmpeg would open the files that they name, wherever those are.
CONTAINERS = (
    "mov", "mp4", "matroska", "webm", "avi", "asf", "flv", "mpeg", "mpegts", "mpegvideo", "mxf", "gxf", "nut", "nsv", "nuv", "ogg",
    "rm", "wtv", "dv", "ivf", "obu", "h261", "h263", "h264", "hevc", "vvc", "av1", "vc1", "m4v", "mjpeg", "yuv4mpegpipe", "swf", "ty",
    "dhav", "pva", "bink", "smk", "roq", "flic", "film_cpk", "cavsvideo", "dirac", "ea", "vmd", "vivo", "xmv", "usm", "mlv", "lmlm4",
    "mp3", "aac", "ac3", "ac4", "eac3", "dts", "dtshd", "truehd", "mlp", "flac", "wav", "w64", "aiff", "au", "caf", "voc", "ape", "wv",
    "tta", "tak", "mpc", "mpc8", "shn", "amr", "loas", "oma", "xwma", "dsf", "iff", "qcp", "sox", "spdif", "gsm", "aa", "aax", "qoa",
    "iamf", "osq", "bonk", "vqf", "brstm", "bfstm", "adx", "hca", "ircam", "nistsphere", "rso", "smjpeg", "wsd",
)  # fmt: skip
# FFmpeg's own options (libavformat/options_table.h) for untrusted input. The first alone is not enough: a playlist could still
# name other local files.
INPUT_LIMITS = {"protocol_whitelist": "file", "format_whitelist": ",".join(CONTAINERS)}

# One thread and bitexact muxing: the same input gives the same bytes on every machine.
BITEXACT: dict[str, str | int] = {
    "threads": 1,
    "fflags": "+bitexact",
    "flags:v": "+bitexact",
    "flags:a": "+bitexact",
    "map_metadata": -1,
}
H264: dict[str, str | int] = {
    "vcodec": "libx264",
    "preset": "veryfast",
    "crf": 18,
    "pix_fmt": "yuv420p",
    "movflags": "+faststart",
}


@lru_cache(maxsize=1)
def executable() -> str:
    """Returns the path of the ffmpeg binary that imageio-ffmpeg installs."""
    text: str = imageio_ffmpeg.get_ffmpeg_exe()
    return text


def run(stream: Any, *, timeout_s: float = 600.0) -> None:
    """Runs an ffmpeg-python graph.

    Raises RecordError: corrupt with the end of ffmpeg's error output, timeout after timeout_s seconds.
    """
    command = [*ffmpeg.compile(stream, cmd=executable(), overwrite_output=True), "-nostdin", "-v", "error"]
    try:
        done = subprocess.run(command, capture_output=True, timeout=timeout_s, check=False)
    except subprocess.TimeoutExpired as error:
        raise RecordError(Reason.TIMEOUT, f"ffmpeg took longer than {timeout_s:.0f} s") from error
    if done.returncode != 0:
        raise RecordError(Reason.CORRUPT, done.stderr.decode(errors="replace").strip()[-1000:])


def to_mp4(source: Path, target: Path, *, start_s: float | None = None, duration_s: float | None = None) -> None:
    """Re-encodes a file, or an exact span of it in seconds, to H.264 and AAC in MP4. Raises RecordError as `run` does.

    Pixels become square and sides even. Only local files are read.
    """
    span = {key: value for key, value in (("ss", start_s), ("t", duration_s)) if value is not None}
    read = _input(source, **span)
    even = read.video.filter("scale", "trunc(iw*sar/2)*2", "trunc(ih/2)*2").filter("setsar", 1)
    run(ffmpeg.output(even, _optional_audio(read), str(target), format="mp4", acodec="aac", **H264, **BITEXACT))


def cut_audio(source: Path, target: Path, start_s: float, duration_s: float) -> None:
    """Writes an exact span of a sound file, in seconds, as FLAC. Raises RecordError as `run` does."""
    read = _input(source, ss=start_s, t=duration_s)
    run(ffmpeg.output(read.audio, str(target), format="flac", **BITEXACT))


def to_mp3(source: Path, target: Path) -> None:
    """Converts a sound file to MP3 and keeps its sample rate and channels. Raises RecordError as `run` does."""
    run(ffmpeg.output(_input(source).audio, str(target), format="mp3", audio_bitrate="128k", **BITEXACT))


def merge(sources: Sequence[Path], target: Path) -> None:
    """Copies the first video and the first audio stream of each file into one file, without re-encoding.

    The suffix of the target chooses the container. Raises RecordError as `run` does.
    """
    inputs = [_input(source) for source in sources]
    streams = [opened[f"{kind}:0?"] for opened in inputs for kind in ("v", "a")]
    run(ffmpeg.output(*streams, str(target), codec="copy", **BITEXACT))


def _input(source: Path, **options: Any) -> Any:
    return ffmpeg.input(str(source), **INPUT_LIMITS, **options)


def _optional_audio(read: Any) -> Any:
    return read["a:0?"]
