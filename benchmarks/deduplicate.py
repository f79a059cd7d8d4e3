"""`vidal deduplicate` on a large synthetic dataset, then with one shard more; its recall against the comparison of all pairs.

python -m benchmarks.deduplicate [--clips 1000000] [--recall 20000] [--differences FILE], where 0 leaves out that part

Of the clips 80 % are videos and 20 % sounds, 5 % of each are copies of clips of other shards (benchmarks.synthetic_clips).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import synthetic_clips as synthetic
from benchmarks.many_shards import manifest_row
from benchmarks.terms import memory_of
from vidal import schema
from vidal.config.loading import load_recipe
from vidal.config.recipe import Recipe
from vidal.dataset.dataset_file import claim
from vidal.dataset.shard_report import ShardReport
from vidal.dataset.shard_summary import write_summary
from vidal.dedup.compare import compare, signed
from vidal.dedup.settings import Duplicates
from vidal.dedup.stored_signatures import write_signatures
from vidal.pipeline.stage import WorkIdentity
from vidal.records import SignedClip
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage import layout
from vidal.storage.storage import Storage

ROWS, COPIES, SOUNDS = 10_000, 0.05, 0.2
_POOL = 300  # Clips of each shard that later shards hold copies of.


@dataclass
class Clips:
    """Makes the clips of one shard after another. pool: what later ones may copy."""

    known: list[synthetic.Difference]
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))
    films: list[synthetic.Signature] = field(default_factory=list)
    sounds: list[np.ndarray] = field(default_factory=list)

    def shard(self, number: int, rows: int = ROWS) -> list[SignedClip]:
        heard = int(rows * SOUNDS)
        films = synthetic.films(self.rng, rows - heard)
        sounds = [synthetic.sound(self.rng) for _ in range(heard)]
        pool = films[:_POOL], sounds[:_POOL]
        for place in self._copied(len(films), self.films):
            films[place] = synthetic.film_copy(self.rng, self._any(self.films), self.known)
        for place in self._copied(heard, self.sounds):
            sounds[place] = synthetic.sound_copy(self.rng, self._any(self.sounds))
        self.films += pool[0]
        self.sounds += pool[1]
        signatures = [(own.to_bytes(), None) for own in films] + [(None, own.tobytes()) for own in sounds]
        return [_row(number, place, *own) for place, own in enumerate(signatures)]

    def _copied(self, count: int, pool: list) -> Iterator[int]:  # type: ignore[type-arg]
        return iter(self.rng.choice(count, int(count * COPIES) if pool else 0, replace=False).tolist())

    def _any(self, pool: list):  # type: ignore[no-untyped-def, type-arg]
        return pool[self.rng.integers(len(pool))]


def _row(shard: int, place: int, signature: bytes | None, fingerprint: bytes | None) -> SignedClip:
    name = f"{shard}-{place}"
    return {
        "clip_id": f"{shard:08x}{place:08x}", "kind": "video" if signature else "audio", "source_sha256": name, "start_s": 0.0,
        "duration_s": 20.0, "signature": signature, "audio_fingerprint": fingerprint, "embedding": [], "audio_embedding": [],
    }  # fmt: skip


class Dataset:
    def __init__(self, folder: Path, known: list[synthetic.Difference]):
        self.storage, self.clips = Storage(str(folder)), Clips(known)
        self.recipe: Recipe = load_recipe("catalogue", ())
        claim(self.storage, self.recipe)
        self._manifest = schema.table([manifest_row(0, place) for place in range(ROWS)], manifest_schema(VIEWS))

    def add(self, shard: int) -> None:
        rows = self.clips.shard(shard)
        write_signatures(self.storage, shard, [{**row, "split": "train"} for row in rows])
        names = pa.array([row["clip_id"] for row in rows])
        table = self._manifest.set_column(self._manifest.schema.get_field_index("clip_id"), "clip_id", names)
        self.storage.write_table(layout.manifest(shard), table, {"schema_version": schema.SCHEMA_VERSION})
        report = ShardReport(shard, rows={"video": ROWS})
        write_summary(self.storage, self.recipe, WorkIdentity({}, ""), "", 0, report)

    def deduplicate(self, title: str) -> None:
        """Runs the command, and prints its time, the peak of all its processes and what it marked."""
        started, peak = time.perf_counter(), 0.0
        command = [sys.executable, "-m", "vidal.cli", "deduplicate", self.storage.uri, "--json"]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        while process.poll() is None:
            peak = max(peak, memory_of(process.pid))
            time.sleep(1)
        assert process.stdout is not None and process.returncode == 0, process.returncode
        marked = json.loads(process.stdout.read().splitlines()[-1])
        copies = sum(value for value in marked.values() if isinstance(value, int))
        print(f"| {title} | {time.perf_counter() - started:.0f} s | {peak:.2f} GB | {copies} |", flush=True)


def measure_recall(count: int, known: list[synthetic.Difference]) -> None:
    clips = Clips(known)
    rows = [row for shard in range(count // ROWS) for row in clips.shard(shard)]
    own, settings = signed(rows), Duplicates()
    compared = [compare(own, None, settings, indexed=indexed) for indexed in (False, True)]
    every, indexed = (set(zip(pairs.later.tolist(), pairs.earlier.tolist(), strict=True)) for pairs in compared)
    print(f"\n{count} clips: all pairs find {len(every)} pairs, the index {len(every & indexed)} of them "
          f"({len(every & indexed) / len(every):.4f}) and {len(indexed - every)} others", flush=True)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--recall", type=int, default=20_000)
    parser.add_argument("--differences", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        known = synthetic.differences(options.differences or folder / "differences.npz")
        if options.recall:
            measure_recall(options.recall, known)
        if not options.clips:
            return
        dataset, shards = Dataset(folder / "data", known), options.clips // ROWS
        for shard in range(shards):
            dataset.add(shard)
        print("\n| | time | memory | copies |\n|---|---|---|---|", flush=True)
        dataset.deduplicate(f"{shards * ROWS} clips in {shards} shards")
        dataset.add(shards)
        dataset.deduplicate(f"and {ROWS} clips more")
        dataset.deduplicate("nothing new")


if __name__ == "__main__":
    main()
