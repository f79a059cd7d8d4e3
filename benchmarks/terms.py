"""The search-term database at scale: documents a second against one process of nlp.pipe, and peak memory by size.

`python -m benchmarks.terms --captions 100000 1000000`. The captions are COCO's, halves of two joined at random, so that there
are as many as wanted with the words and lengths of real ones.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import yaml

from tests.conftest import ROOT, SHARED
from vidal.terms.tagging import load

BASELINE = 12_500


def captions(count: int) -> Iterator[str]:
    listed = json.loads((SHARED / "labels/coco_captions_val2017.json").read_text())["annotations"]
    words = [each["caption"].lower().split() for each in listed]
    chance = random.Random(0)
    for _ in range(count):
        first, second = chance.choice(words), chance.choice(words)
        yield " ".join([*first[: len(first) // 2], *second[len(second) // 2 :]])


def one_process(texts: list[str]) -> float:
    """Documents a second of nlp.pipe with tagger and lemmatizer, nothing else done."""
    pipeline = load("en_core_web_sm")
    list(pipeline.pipe(texts[:500], batch_size=256))
    started = time.perf_counter()
    for _ in pipeline.pipe(texts, batch_size=256):
        pass
    return len(texts) / (time.perf_counter() - started)


def build(count: int, folder: Path) -> tuple[float, float]:
    """Seconds of the whole command, and the peak of all its processes in GB (PSS)."""
    with (folder / "captions.txt").open("w") as file:
        file.writelines(f"{text}\n" for text in captions(count))
    recipe = {
        "extends": "embedded",
        "name": "bench",
        "terms": {"corpora": [{"source": "x", "path": str(folder / "captions.txt")}]},
    }
    (folder / "bench.yaml").write_text(yaml.safe_dump(recipe))
    command = ["search-terms", "build", "--recipe", str(folder / "bench.yaml"), "--set", "terms.count=100000"]
    started, peak = time.perf_counter(), 0.0
    process = subprocess.Popen([sys.executable, "-m", "vidal.cli", *command, "--out", str(folder / "db")], cwd=ROOT)
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        time.sleep(1)
    if process.returncode:
        raise SystemExit(process.returncode)
    return time.perf_counter() - started, peak


def memory_of(pid: int) -> float:
    """The memory of a process and its children in GB (PSS)."""
    total = 0
    for each in [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]:
        try:
            total += each.memory_full_info().pss
        except (psutil.Error, OSError):
            continue
    return total / 1e9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--captions", type=int, nargs="+", default=[100_000])
    counts = parser.parse_args().captions
    sample = list(captions(BASELINE))
    print(
        "| captions | command, s | docs/s | one process of nlp.pipe, docs/s | ratio | peak, GB |\n|---|---|---|---|---|---|"
    )
    for count in counts:
        before = one_process(sample)
        with tempfile.TemporaryDirectory() as folder:
            seconds, peak = build(count, Path(folder))
        alone = (before + one_process(sample)) / 2  # Before and after: the machine is shared.
        rate = count / seconds
        print(f"| {count:,} | {seconds:.0f} | {rate:.0f} | {alone:.0f} | {rate / alone:.2f} | {peak:.2f} |", flush=True)


if __name__ == "__main__":
    main()
