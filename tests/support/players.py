"""Media as players meet them: what ffmpeg, x264 and x265 write, and what was joined, tagged or mislabelled."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import numpy as np

from vidal.media.ffmpeg import executable

# Linear BT.2020 of the reddest red of BT.709 (ITU-R BT.2087).
_RED_BT2020 = np.array([0.6274, 0.0691, 0.0164])
_SILENT_FILM = ("-f", "lavfi", "-i", "testsrc2=d=4:s=320x240:r=25")


def ffmpeg(*arguments: object) -> None:
    command = [executable(), "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def film(path: Path, *options: object) -> Path:
    """Writes 4 s of moving pictures with a tone of 440 Hz."""
    ffmpeg(*_SILENT_FILM, "-f", "lavfi", "-i", "sine=d=4", *options, path)
    return path


def silent_film(path: Path, *options: object) -> Path:
    ffmpeg(*_SILENT_FILM, *options, path)
    return path


def tone(path: Path, *options: object, seconds: float = 2, hertz: int = 440) -> Path:
    ffmpeg("-f", "lavfi", "-i", f"sine=d={seconds}:f={hertz}", *options, path)
    return path


def with_late_sound(path: Path) -> Path:
    """Writes 4 s of pictures whose sound starts after 1.5 s (torchcodec #1610)."""
    ffmpeg("-f", "lavfi", "-i", "testsrc2=d=4", "-itsoffset", 1.5, "-f", "lavfi", "-i", "sine=d=2.5", path)
    return path


def with_second_track(path: Path) -> Path:
    """Writes a film whose default sound track is the second, a tone of 2 kHz."""
    tones = ["-f", "lavfi", "-i", "sine=d=4", "-f", "lavfi", "-i", "sine=d=4:f=2000"]
    tracks = ["-map", 0, "-map", 1, "-map", 2, "-disposition:a:0", 0, "-disposition:a:1", "default"]
    ffmpeg(*_SILENT_FILM, *tones, *tracks, path)
    return path


def with_cancelling_channels(path: Path) -> Path:
    """Writes a tone whose right channel is the negative of the left one."""
    return tone(path, "-af", "pan=stereo|c0=c0|c1=-1*c0")


def quiet_first(path: Path) -> Path:
    """Writes ADTS AAC that starts with 2 s of silence, from whose bit rate FFmpeg guesses a length of 41 s (mpv #11697)."""
    ffmpeg("-f", "lavfi", "-i", "sine=d=4,volume='gte(t,2)':eval=frame", path)
    return path


def joined(path: Path, *parts: Path) -> Path:
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


def tagged(path: Path, sound: Path) -> Path:
    """Writes the sound with an APE tag and an ID3v1 tag at its end."""
    ape = b"APETAGEX" + struct.pack("<IIII", 2000, 64, 1, 1 << 31) + bytes(8) + b"x" * 32
    path.write_bytes(sound.read_bytes() + ape + b"TAG" + b"\xe9" * 125)
    return path


def from_negative_time(path: Path, source: Path) -> Path:
    """Writes Matroska whose first second lies before the time 0."""
    ffmpeg("-i", source, "-c", "copy", "-output_ts_offset", -1, "-avoid_negative_ts", "disabled", path)
    return path


def with_latin_title(path: Path, source: Path) -> Path:
    """Writes an AVI whose title is Latin-1."""
    ffmpeg("-i", source, "-c", "copy", "-metadata", "title=AAAAAAAAAA", path)
    path.write_bytes(path.read_bytes().replace(b"AAAAAAAAAA", "Café élève".encode("latin-1")))
    return path


def with_display(path: Path, source: Path, *options: object) -> Path:
    """Writes the source with a display matrix. options: such as "-display_hflip:v:0"."""
    ffmpeg(*options, "-i", source, "-c", "copy", path)
    return path


def changing_size(path: Path) -> Path:
    """Writes 2 s of 320x240 and 2 s of 240x426 in one track."""
    parts = []
    for index, size in enumerate(("320x240", "240x426")):
        parts.append(path.with_suffix(f".{index}.h264"))
        ffmpeg("-f", "lavfi", "-i", f"testsrc2=d=2:s={size}:r=25", parts[-1])
    ffmpeg("-f", "h264", "-r", 25, "-i", joined(path.with_suffix(".h264"), *parts), "-c", "copy", path)
    return path


def interlaced(path: Path) -> Path:
    """Writes a second of 25 pictures, the lines of each from two moments."""
    pictures = ["-f", "lavfi", "-i", "testsrc2=d=1:s=720x576:r=50", "-vf", "tinterlace=interleave_top,setfield=tff"]
    ffmpeg(*pictures, "-c:v", "libx264", "-flags", "+ilme+ildct", "-x264opts", "tff=1", path)
    return path


def red_hdr(path: Path, transfer: str) -> Path:
    """Writes a second of red at 203 nits in HEVC of 10 bits. transfer: smpte2084 (PQ) or arib-std-b67 (HLG)."""
    signal = {"smpte2084": _pq, "arib-std-b67": _hlg}[transfer](_RED_BT2020 * 203)
    raw = np.broadcast_to(np.round(signal * 65535).astype("<u2"), (25, 240, 320, 3)).tobytes()
    colours = ["-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc"]
    x265 = f"log-level=none:colorprim=bt2020:transfer={transfer}:colormatrix=bt2020nc"
    command = [
        executable(),
        "-y",
        "-v",
        "error",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb48le",
        "-s",
        "320x240",
        "-r",
        "25",
        "-i",
        "-",
    ]
    command += [
        "-vf",
        "scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le",
        "-c:v",
        "libx265",
        "-x265-params",
        x265,
    ]
    subprocess.run([*command, *colours, str(path)], input=raw, check=True)
    return path


def _pq(nits: np.ndarray) -> np.ndarray:
    """SMPTE ST 2084: the signal, 0..1, of light in nits."""
    root = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * root) / (1 + 18.6875 * root)) ** 78.84375


def _hlg(nits: np.ndarray) -> np.ndarray:
    """ITU-R BT.2100: the signal, 0..1, of light on a screen of 1,000 nits."""
    light = nits / 1_000
    scene = light * (light @ [0.2627, 0.678, 0.0593]) ** (-0.2 / 1.2)
    return np.where(
        scene <= 1 / 12,
        np.sqrt(3 * scene),
        0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073,
    )


def with_aspect(path: Path, source: Path, width: int, height: int) -> Path:
    """Writes the source with a pixel aspect of width to height: ffmpeg adds a pasp box, and its two numbers are replaced."""
    ffmpeg(
        "-i", source, "-c", "copy", "-aspect", "7:1", path
    )  # ffmpeg writes the box only for an aspect that is not 1:1.
    data = bytearray(path.read_bytes())
    at = data.index(b"pasp") + 4
    data[at : at + 8] = struct.pack(">II", width, height)
    path.write_bytes(data)
    return path
