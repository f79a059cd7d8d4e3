"""`make bench`: our speeds as ratios against a floor or a peer in the same run. Prints a table; judges nothing.

Each pair is run in turn, A B A B, and the median of the ratios is printed: these machines are shared and noisy.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.conftest import SHARED
from vidal.media.container import open_media
from vidal.media.ffmpeg import executable
from vidal.media.frames import read_frames
from vidal.media.probe import probe


def clips() -> list[Path]:
    """The shared clips of less than 2 MB where they are present, else those of the embedded site."""
    if SHARED.is_dir():
        return [path for path in sorted((SHARED / "videos").glob("*.m*")) if path.stat().st_size < 2_000_000]
    from vidal.sources.embedded.media import build_media

    return sorted(build_media().glob("*.mp4"))


def ours(paths: list[Path]) -> None:
    for path in paths:
        read_frames(path, 8, "linspace", 256)


def decode_all(paths: list[Path]) -> None:
    """The floor of a reader that does not seek: every picture decoded, none converted."""
    for path in paths:
        with open_media(path) as container:
            container.streams.video[0].thread_type = "NONE"
            for _ in container.decode(video=0):
                pass


def ffmpeg_fps(paths: list[Path]) -> None:
    """What most tools do: one ffmpeg a clip, its fps filter set to give 8 frames over the whole clip."""
    with tempfile.TemporaryDirectory() as folder:
        for path in paths:
            fps = 8 / probe(path, max_pixels=10**9).duration_s
            command = [executable(), "-v", "error", "-threads", "1", "-i", str(path), "-vf", f"fps={fps},scale=-2:256"]
            subprocess.run([*command, "-y", f"{folder}/%d.bmp"], check=True)


def paired(first: Callable[[], None], second: Callable[[], None], runs: int) -> tuple[float, float, float]:
    """Medians of the two times in seconds, and of second / first."""
    times = []
    for _ in range(runs):
        pair = []
        for work in (first, second):
            started = time.perf_counter()
            work()
            pair.append(time.perf_counter() - started)
        times.append(pair)
    return (
        statistics.median(pair[0] for pair in times),
        statistics.median(pair[1] for pair in times),
        statistics.median(pair[1] / pair[0] for pair in times),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    paths = clips()
    ours(paths)  # Warms the page cache.
    print(f"8 evenly spaced frames, short side 256, one process, {len(paths)} clips, median of {runs} paired runs")
    print("| against | ours, clips/s | theirs, clips/s | ours is faster by |\n|---|---|---|---|")
    for name, other in (
        ("decode all, no conversion (floor)", decode_all),
        ("one ffmpeg a clip, fps filter", ffmpeg_fps),
    ):
        mine, theirs, ratio = paired(lambda: ours(paths), lambda other=other: other(paths), runs)  # type: ignore[misc]
        print(f"| {name} | {len(paths) / mine:.1f} | {len(paths) / theirs:.1f} | {ratio:.2f} x |")


if __name__ == "__main__":
    main()
