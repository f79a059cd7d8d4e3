"""Copies of a clip as people make them: re-encoded, resized, cropped, re-timed, with a logo. Made with the project's own ffmpeg."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path

from vidal.media.ffmpeg import executable

# Filters of the pictures, filters of the sound, and options of the input.
COPIES: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "re-encoded": ("null", "anull", ()),
    "resized": ("scale=trunc(iw/4)*2:trunc(ih/4)*2", "anull", ()),
    "cropped 5 %": ("crop=iw*0.95:ih*0.95", "anull", ()),
    "cropped 5 % a side": ("crop=iw*0.9:ih*0.9", "anull", ()),
    "cropped 5 % left": ("crop=iw*0.95:ih:iw*0.05:0", "anull", ()),
    "1.1 x speed": ("setpts=PTS/1.1", "atempo=1.1", ()),
    "0.9 x speed": ("setpts=PTS/0.9", "atempo=0.9", ()),
    "first 0.5 s cut": ("null", "anull", ("-ss", "0.5")),
    "logo": (
        "drawbox=x=iw*0.8:y=ih*0.04:w=iw*0.16:h=ih*0.14:color=white:t=fill,"
        "drawbox=x=iw*0.83:y=ih*0.07:w=iw*0.1:h=ih*0.08:color=red:t=fill",
        "anull",
        (),
    ),
}
# The fastest preset is also the one that alters the pictures most.
_ENCODING = (
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-crf",
    "30",
    "-pix_fmt",
    "yuv420p",
    "-c:a",
    "aac",
    "-b:a",
    "64k",
)


def make(source: Path, target: Path, kind: str) -> Path:
    """Writes target (mp4), a copy of a kind; raises CalledProcessError where ffmpeg fails."""
    _write(source, {kind: target})
    return target


def make_all(source: Path, folder: Path, kinds: Iterable[str] = COPIES) -> dict[str, Path]:
    """Writes a copy of each kind into a folder; the source is decoded once for all. Raises as `make` does."""
    targets = {kind: folder / f"{number}.mp4" for number, kind in enumerate(kinds)}
    _write(source, targets)
    return targets


def _write(source: Path, targets: dict[str, Path]) -> None:
    inputs = sorted({COPIES[kind][2] for kind in targets})
    command = [executable(), "-v", "error", "-nostdin", "-y"]
    for options in inputs:
        command += ["-threads", "1", *options, "-i", str(source)]
    has_sound = _has_sound(source)
    for kind, target in targets.items():
        pictures, sound, options = COPIES[kind]
        number = inputs.index(options)
        command += ["-map", f"{number}:v:0", "-map", f"{number}:a:0?"]
        command += ["-vf", f"{pictures},scale=trunc(iw/2)*2:trunc(ih/2)*2", *(["-af", sound] if has_sound else [])]
        command += [*_ENCODING, str(target)]
    subprocess.run(command, check=True, capture_output=True)


def _has_sound(source: Path) -> bool:
    done = subprocess.run([executable(), "-hide_banner", "-i", str(source)], capture_output=True, check=False)
    return b"Audio:" in done.stderr
