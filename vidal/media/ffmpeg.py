"""The ffmpeg binary that comes with imageio-ffmpeg, driven by ffmpeg-python: no system ffmpeg is needed."""

from __future__ import annotations

import contextlib
import math
import signal
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import ffmpeg
import imageio_ffmpeg

from vidal.errors import RecordError
from vidal.media.process_limits import cpu_error, ended_error, watch
from vidal.media.settings import Decoding, Limits
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

# The exit code of an ffmpeg that a signal stops, such as the signal of -timelimit. An error with the same code also has a message.
_STOPPED = 255
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


def run(stream: Any, limits: Limits | None = None) -> None:
    """Runs an ffmpeg-python graph. limits: if None, the defaults of the recipe's `decoding` section.

    Raises RecordError: corrupt (with the end of ffmpeg's error output), too_costly, timeout, crashed.
    """
    execute(ffmpeg.compile(stream, cmd=executable(), overwrite_output=True)[1:], limits)


def execute(arguments: Sequence[str], limits: Limits | None = None) -> bytes:
    """Runs ffmpeg with these arguments and returns what it writes to its standard output.

    limits: if None, the defaults of the recipe's `decoding` section. Raises RecordError: corrupt (with the end of ffmpeg's error
    output), too_costly, timeout, crashed.
    """
    limits = limits or Decoding().limits()
    own = [executable(), "-nostdin", "-v", "error", "-timelimit", str(math.ceil(limits.cpu_s))]
    with subprocess.Popen([*own, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            output, message, used_s = _communicate(process, limits)
        except BaseException:
            process.kill()
            raise
    # The kernel asks ffmpeg to stop at the limit, and kills it one CPU second later.
    was_killed = process.returncode == -signal.SIGKILL and used_s >= limits.cpu_s
    if was_killed or (process.returncode == _STOPPED and not message):
        raise cpu_error(limits)
    if process.returncode < 0:
        raise ended_error(process.returncode, limits)
    if process.returncode > 0:
        raise RecordError(Reason.CORRUPT, message.decode(errors="replace").strip()[-1000:])
    return output


def _communicate(process: subprocess.Popen[bytes], limits: Limits) -> tuple[bytes, bytes, float]:
    """Waits for the end of the process; returns its standard output and error, and the CPU seconds that it used."""
    outputs: list[tuple[bytes, bytes]] = []

    def is_done(wait_s: float) -> bool:
        with contextlib.suppress(subprocess.TimeoutExpired):
            outputs.append(process.communicate(timeout=wait_s))
        return bool(outputs)

    used_s = watch(process, limits, is_done)
    return (*outputs[0], used_s)


def to_mp3(source: Path, target: Path) -> None:
    """Converts a sound file to MP3, with the same sample rate and channels. Raises RecordError: corrupt, too_costly, timeout, crashed."""
    run(ffmpeg.output(open_input(source).audio, str(target), format="mp3", audio_bitrate="128k", **BITEXACT))


def merge(sources: Sequence[Path], target: Path) -> None:
    """Copies the first video and the first audio stream of each file into one file, without re-encoding.

    The suffix of the target chooses the container. Raises RecordError: corrupt, too_costly, timeout, crashed.
    """
    inputs = [open_input(source) for source in sources]
    streams = [opened[f"{kind}:0?"] for opened in inputs for kind in ("v", "a")]
    run(ffmpeg.output(*streams, str(target), codec="copy", **BITEXACT))


def open_input(source: Path, **options: Any) -> Any:
    """Returns an input of an ffmpeg-python graph that opens nothing but this media file. options: ffmpeg's options of an input."""
    return ffmpeg.input(str(source), **INPUT_LIMITS, **options)
