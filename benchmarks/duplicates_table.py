"""Copies of the shared clips found, and false matches, by kind of copy: `python -m benchmarks.duplicates_table`."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.conftest import SHARED
from tests.support.copies import COPIES, make
from vidal.dedup.matchers import VideoMatcher
from vidal.dedup.settings import Duplicates
from vidal.media.frames import read_frames
from vidal.media.hashing import Signature

SETTINGS = Duplicates()


def originals(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix != ".jsonl")


def signature(path: Path) -> dict[str, bytes]:
    """As the commit has it."""
    return {"signature": Signature.from_frames(read_frames(path, 8, "linspace", 256)[1]).to_bytes()}


def false_matches(paths: Iterable[Path]) -> tuple[VideoMatcher, list[tuple[str, str]]]:
    """The clips as a shard keeps them, and those of them that were taken for copies of an earlier one."""
    films, wrong = VideoMatcher(SETTINGS), []
    for path in paths:
        own = signature(path)
        if found := films.match(own):
            wrong.append((path.name, found[0]))
        films.add(path.name, own)
    return films, wrong


def found(films: VideoMatcher, path: Path, kind: str) -> str | None:
    """Which clip a copy of a kind is taken for."""
    with tempfile.TemporaryDirectory() as folder:
        match = films.match(signature(make(path, Path(folder) / "copy.mp4", kind)))
    return match[0] if match else None


def main() -> None:
    paths = originals(SHARED / "videos")
    films, wrong = false_matches(paths)
    print(f"{len(paths)} clips, {len(wrong)} taken for another: {wrong}\n")
    print("| copy | found | taken for another clip | missed |\n|---|---|---|---|")
    for kind in COPIES:
        matches = {path.name: found(films, path, kind) for path in paths}
        right = sum(name == match for name, match in matches.items())
        others = [name for name, match in matches.items() if match not in (name, None)]
        missed = [name for name, match in matches.items() if match is None]
        print(f"| {kind} | {right} of {len(paths)} | {', '.join(others)} | {', '.join(missed)} |", flush=True)


if __name__ == "__main__":
    main()
