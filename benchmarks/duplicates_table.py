"""Copies of the shared clips found, and false matches, by kind of copy: `python -m benchmarks.duplicates_table`.

The index of large datasets is measured beside the comparison of all pairs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.conftest import SHARED
from tests.support.copies import COPIES, make, make_all
from vidal.dedup.compare import Signed, compare, nearest_of, signed
from vidal.dedup.settings import Duplicates
from vidal.media.frames import read_frames
from vidal.media.hashing import Signature
from vidal.records import SignedRow
from vidal.schema import Kind

SETTINGS = Duplicates()


def originals(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix != ".jsonl")


def row(own: Signature) -> SignedRow:
    return {
        "kind": Kind.VIDEO.value,
        "signature": own.to_bytes(),
        "audio_fingerprint": None,
        "embedding": [],
        "audio_embedding": [],
    }


def signature(path: Path) -> SignedRow:
    """As the commit has it."""
    return row(Signature.from_frames(read_frames(path, 8, "linspace", 256)[1]))


class Films:
    """Clips as a shard keeps them, by name."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.rows: list[SignedRow] = []

    def add(self, name: str, own: SignedRow) -> None:
        self.names.append(name)
        self.rows.append(own)

    def match(self, own: SignedRow, settings: Duplicates = SETTINGS, *, indexed: bool = False) -> str | None:
        """Which of them a clip is taken for."""
        known: Signed = signed(self.rows)
        pairs = compare(signed([own], len(self.rows)), known, settings, indexed=indexed)
        return next((self.names[pairs.earlier[place]] for place in nearest_of(pairs).values()), None)


def false_matches(paths: Iterable[Path]) -> tuple[Films, list[tuple[str, str]]]:
    """The clips as a shard keeps them, and those of them that were taken for copies of an earlier one."""
    films, wrong = Films(), []
    for path in paths:
        own = signature(path)
        if found := films.match(own):
            wrong.append((path.name, found))
        films.add(path.name, own)
    return films, wrong


def copy_of(path: Path, kind: str) -> SignedRow:
    with tempfile.TemporaryDirectory() as folder:
        return signature(make(path, Path(folder) / "copy.mp4", kind))


def copies_of(path: Path) -> dict[str, SignedRow]:
    """A copy of each kind."""
    with tempfile.TemporaryDirectory() as folder:
        return {kind: signature(copy) for kind, copy in make_all(path, Path(folder)).items()}


def found(films: Films, path: Path, kind: str, *, indexed: bool = False) -> str | None:
    """Which clip a copy of a kind is taken for."""
    return films.match(copy_of(path, kind), indexed=indexed)


def main() -> None:
    paths = originals(SHARED / "videos")
    films, wrong = false_matches(paths)
    print(f"{len(paths)} clips, {len(wrong)} taken for another: {wrong}\n")
    print("| copy | found | found by the index | taken for another clip | missed |\n|---|---|---|---|---|")
    copies_by_clip = {path.name: copies_of(path) for path in paths}
    for kind in COPIES:
        copies = {name: each[kind] for name, each in copies_by_clip.items()}
        matches = {name: films.match(own) for name, own in copies.items()}
        right = sum(name == match for name, match in matches.items())
        indexed = sum(name == films.match(own, indexed=True) for name, own in copies.items())
        others = [name for name, match in matches.items() if match not in (name, None)]
        missed = [name for name, match in matches.items() if match is None]
        line = f"| {kind} | {right} of {len(paths)} | {indexed} of {len(paths)} | {', '.join(others)} | {', '.join(missed)} |"
        print(line, flush=True)


if __name__ == "__main__":
    main()
