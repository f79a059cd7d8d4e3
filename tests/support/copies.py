"""Copies of a clip as people make them: re-encoded, resized, cropped, re-timed, with a logo. Made with the project's own ffmpeg."""

from __future__ import annotations

import subprocess
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


def make(source: Path, target: Path, kind: str) -> Path:
    """Writes target (mp4), a copy of a kind; raises CalledProcessError where ffmpeg fails."""
    pictures, sound, options = COPIES[kind]
    pictures = f"{pictures},scale=trunc(iw/2)*2:trunc(ih/2)*2"
    command = [executable(), "-v", "error", "-nostdin", "-threads", "1", *options, "-i", str(source)]
    command += [
        "-map",
        "0:v:0",
        "-map",
        "0:a:0?",
        "-vf",
        pictures,
        "-af",
        sound,
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
    ]
    command += ["-crf", "30", "-pix_fmt", "yuv420p", "-c:a", "aac", "-b:a", "64k", "-y", str(target)]
    if not _has_sound(source):
        del command[command.index("-af") : command.index("-af") + 2]
    subprocess.run(command, check=True, capture_output=True)
    return target


def _has_sound(source: Path) -> bool:
    done = subprocess.run([executable(), "-hide_banner", "-i", str(source)], capture_output=True, check=False)
    return b"Audio:" in done.stderr
