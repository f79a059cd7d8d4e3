"""What becomes of every shared video, and its frames against ffmpeg's own decode: `python -m benchmarks.frames_table`.

Frames are compared before any JPEG, at full size, both converted to RGB by swscale (bicubic); ffmpeg picks them by their number in
the order of presentation and turns them by the file's own rotation. Of files with more than 8 bits the decoded planes are compared.
PSNR in dB, of the worst frame; inf is bit for bit.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.conftest import SHARED
from vidal.errors import RecordError
from vidal.media.container import open_media, packet_times
from vidal.media.ffmpeg import executable
from vidal.media.frames import decode_frames, read_frames, sample_indices
from vidal.media.probe import probe

MAX_PIXELS = 7680 * 4320
COUNT = 8


@dataclass(frozen=True)
class Row:
    """outcome: ok, sound, or the reason. late_frames: the worst distance of a frame from the wanted time, in frames."""

    name: str
    outcome: str
    size: str = ""
    codec: str = ""
    late_frames: float = 0.0
    psnr_db: float = float("inf")

    def __str__(self) -> str:
        if self.outcome != "ok":
            return f"| {self.name} | {self.outcome} | | | | |"
        return f"| {self.name} | ok | {self.codec} | {self.size} | {self.late_frames:.3f} | {self.psnr_db:.1f} |"


def rows(folder: Path) -> Iterator[Row]:
    for path in sorted(each for each in folder.iterdir() if each.suffix != ".jsonl"):
        yield row(path)


def row(path: Path) -> Row:
    try:
        found = probe(path, max_pixels=MAX_PIXELS)
        if found.kind == "audio":
            return Row(path.name, "sound")
        times_s, images = read_frames(path, COUNT, "linspace", 100_000)
    except RecordError as error:
        return Row(path.name, f"{error.reason.value}: {error.detail}")
    pts_s = _presentation_s(path)
    chosen = sample_indices(len(pts_s), COUNT, "linspace")
    wanted_s = np.linspace(pts_s[0], pts_s[-1], COUNT) - pts_s[0]
    late = float(np.abs(np.array(times_s) - wanted_s).max() * found.fps) if found.fps else 0.0
    theirs = _by_ffmpeg(path, chosen, images[0].size)
    worst = min(psnr_db(np.asarray(mine), other) for mine, other in zip(images, theirs, strict=True))
    if is_deep(path):
        worst = planes_psnr_db(path, chosen)
    return Row(path.name, "ok", f"{found.width}x{found.height}", found.codec, late, worst)


def _presentation_s(path: Path) -> list[float]:
    with open_media(path) as container:
        stream = container.streams.video[0]
        return [float(pts * stream.time_base) for pts, _, _ in packet_times(container, stream)]


def _by_ffmpeg(path: Path, chosen: list[int], size: tuple[int, int]) -> list[np.ndarray]:
    """(h, w, 3) uint8 for each chosen number of a frame; the file is decoded from its start to its end."""
    wanted = sorted(set(chosen))
    select = "+".join(f"eq(n,{index})" for index in wanted)
    command = [executable(), "-v", "error", "-nostdin", "-i", str(path), "-map", "0:v:0", "-fps_mode", "passthrough"]
    command += [
        "-vf",
        f"select='{select}',scale={size[0]}:{size[1]}:flags=bicubic",
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-",
    ]
    data = subprocess.run(command, check=True, capture_output=True).stdout
    frames = np.frombuffer(data, np.uint8).reshape(-1, size[1], size[0], 3)
    by_index = dict(zip(wanted, frames, strict=True))
    return [by_index[index] for index in chosen]


def is_deep(path: Path) -> bool:
    """More than 8 bits: there the two versions of swscale place chroma differently, whatever was decoded."""
    with open_media(path) as container:
        return container.streams.video[0].codec_context.pix_fmt.endswith("le")


def planes_psnr_db(path: Path, chosen: list[int]) -> float:
    """Of what is decoded, before any conversion: our frames against ffmpeg's, in the file's own pixel format."""
    select = "+".join(f"eq(n,{index})" for index in sorted(set(chosen)))
    command = [
        executable(),
        "-v",
        "error",
        "-nostdin",
        "-i",
        str(path),
        "-vf",
        f"select='{select}'",
        "-fps_mode",
        "passthrough",
    ]
    data = subprocess.run([*command, "-f", "rawvideo", "-"], check=True, capture_output=True).stdout
    with open_media(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = "NONE"
        packets = packet_times(container, stream)
        decoded = decode_frames(container, stream, packets, sorted(set(chosen)))
        ours = np.concatenate([frame.to_ndarray().ravel() for frame in decoded])
    scale = 255.0 / 1023.0
    return psnr_db(ours * scale, np.frombuffer(data, np.uint16) * scale)


def psnr_db(one: np.ndarray, other: np.ndarray) -> float:
    error = float(np.mean((one.astype(np.float64) - other.astype(np.float64)) ** 2))
    return float("inf") if error == 0 else 10 * float(np.log10(255.0**2 / error))


def main() -> None:
    print("| file | outcome | codec | shown | frames late | PSNR, dB |\n|---|---|---|---|---|---|")
    for folder in ("videos", "videos_edge"):
        for each in rows(SHARED / folder):
            print(each, flush=True)


if __name__ == "__main__":
    main()
