"""Formats that are bare streams of frames: they can be cut and joined anywhere, and state no length."""

from __future__ import annotations

from pathlib import Path

# FFmpeg's names.
_BARE = {
    "aac", "loas", "mp3", "ac3", "ac4", "eac3", "dts", "dtshd", "truehd", "mlp", "amr", "gsm", "adx", "spdif",
    "h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "vc1", "m4v", "mpegvideo", "mjpeg", "cavsvideo", "dirac", "dv",
    "mpeg", "mpegts",
}  # fmt: skip
# An MP3 with one of these in its first frame states its number of frames.
_MP3_HEADERS = (b"Xing", b"Info", b"VBRI")
_MP3_HEAD_BYTES = 300_000  # A cover picture may come before the first frame.


def is_bare(container: str) -> bool:
    return container in _BARE


def states_length(container: str, path: Path) -> bool:
    """Returns whether a file states its length. Of others, FFmpeg guesses it from the bit rate of the beginning, which may be silent."""
    if container == "mp3":
        with path.open("rb") as file:
            head = file.read(_MP3_HEAD_BYTES)
        return any(mark in head for mark in _MP3_HEADERS)
    return not is_bare(container)
