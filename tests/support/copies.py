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
    """One ffmpeg for all that keep the time: outputs of different speeds wait for each other for ever (ffmpeg 9.0)."""
    has_sound = _has_sound(source)
    for shared in {COPIES[kind][1:] for kind in targets}:
        sound, options = shared
        command = [executable(), "-v", "error", "-nostdin", "-y", "-threads", "1", *options, "-i", str(source)]
        for kind in (kind for kind in targets if COPIES[kind][1:] == shared):
            pictures = f"{COPIES[kind][0]},scale=trunc(iw/2)*2:trunc(ih/2)*2"
            command += ["-map", "0:v:0", "-map", "0:a:0?", "-vf", pictures, *(["-af", sound] if has_sound else [])]
            command += [*_ENCODING, str(targets[kind])]
        subprocess.run(command, check=True, capture_output=True, timeout=600)


def _has_sound(source: Path) -> bool:
    done = subprocess.run([executable(), "-hide_banner", "-i", str(source)], capture_output=True, check=False)
    return b"Audio:" in done.stderr
