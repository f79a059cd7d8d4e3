"""The split of a large catalogue: time, memory, and what discovery of one shard costs afterwards.

python -m benchmarks.catalogue [--rows 1000000]
"""

from __future__ import annotations

import argparse
import csv
import resource
import tempfile
import time
from pathlib import Path

from vidal.config.loading import load_recipe
from vidal.dataset import discover
from vidal.dataset.listing_split import split_listing
from vidal.pipeline.stage import Runtime
from vidal.storage.storage import Storage


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clips.csv"
        _write_list(path, rows)
        recipe, storage = load_recipe("catalogue", catalogue=str(path)), Storage(f"{folder}/out")
        before, started = _peak_mb(), time.monotonic()
        split = split_listing(recipe, storage)
        print(f"split of {split.candidates:,} rows into {split.shards:,} shards: {time.monotonic() - started:.1f} s")
        print(f"peak resident memory: {_peak_mb():.0f} MB, {before:.0f} MB of them before the split")
        started = time.monotonic()
        split_listing(recipe, storage)
        discover.discover(recipe, Runtime(storage.uri, "bench"), split.shards // 2)
        print(f"discovery of one shard afterwards: {time.monotonic() - started:.2f} s")


def _write_list(path: Path, rows: int) -> None:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["url", "title", "licence", "mine"])
        for number in range(rows):
            writer.writerow(
                [f"https://example.org/videos/{number}.mp4", f"A cat, take {number} #cat #cute", "CC0-1.0", number]
            )


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
