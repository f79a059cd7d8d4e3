"""Formats that are bare streams of frames: they can be cut and joined anywhere, and state no length."""

from __future__ import annotations

# FFmpeg's names of such formats. FFmpeg guesses the length of most from the bit rate of their beginning, which may be silent.
_BARE = {
    "aac", "loas", "mp3", "ac3", "ac4", "eac3", "dts", "dtshd", "truehd", "mlp", "amr", "gsm", "adx", "spdif",
    "h261", "h263", "h264", "hevc", "vvc", "av1", "obu", "vc1", "m4v", "mpegvideo", "mjpeg", "cavsvideo", "dirac", "dv",
    "mpeg", "mpegts",
}  # fmt: skip


def is_bare(container: str) -> bool:
    return container in _BARE
