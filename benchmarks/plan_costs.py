"""Checks `vidal plan --clips` against a build: half of the shared clips predict the other half.

    python -m benchmarks.plan_costs [--write]

Both halves are built with the recipe `embedded`, with all of its models, on Ray. Printed for each stage with more than 5 % of the CPU
time: what the first half predicts for the second, and what the second has cost; then the bytes. --write stores what the first half has
cost as the packaged example.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from aiohttp import web

from tests.conftest import ROOT, SHARED, sets
from vidal.config.loading import load_recipe
from vidal.dataset.estimate import Cluster, estimate
from vidal.dataset.measured import Measured, dump, measure
from vidal.sources.embedded.site import serve

SETTINGS = (
    "filters.similarity_min=null",
    "duplicates={exact: false, near: false}",
    "crawl.requests_per_s=100",
    "crawl.burst=100",
)
PACKAGED = ROOT / "vidal/dataset/packaged_costs.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    clips = sorted((SHARED / "videos").glob("*.m*"))
    app = web.Application()
    app.router.add_static("/", SHARED / "videos")
    with tempfile.TemporaryDirectory() as name, serve(app) as url:
        first, second = (_build(Path(name) / str(half), url, clips[half::2]) for half in (0, 1))
    _compare(first, second)
    if options.write:
        where = f"{first.clips} real clips of 2 to 40 s, 320x180 to 1080p, built on two cores"
        PACKAGED.write_text(json.dumps(dump(replace(first, where=where, requests={})), indent=1) + "\n")


def _build(folder: Path, url: str, clips: list[Path]) -> Measured:
    folder.mkdir()
    rows = [f"{url}/{clip.name},{clip.stem.replace('_', ' ')}\n" for clip in clips]
    (folder / "c.csv").write_text("url,title\n" + "".join(rows))
    command = [sys.executable, "-m", "vidal.cli", "build-shard", "0", "--recipe", "embedded", "--catalogue", str(folder / "c.csv"),
               "--out", str(folder / "out"), "--allow-host", "127.0.0.1", *sets(*SETTINGS)]  # fmt: skip
    subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return measure(str(folder / "out"))


def _compare(first: Measured, second: Measured) -> None:
    costs = estimate(load_recipe("embedded"), second.clips, first, Cluster())
    total_s = sum(stage.cpu_s for stage in second.stages.values())
    print(f"{first.clips} clips predict {second.clips}; CPU of these: {total_s:.1f} s")
    for stage in costs.stages:
        true_s, predicted_s = second.stages[stage.stage].cpu_s, (stage.cpu_hours or 0.0) * 3600
        if true_s > 0.05 * total_s:
            print(
                f"{stage.stage:12} predicted {predicted_s:7.1f} s, measured {true_s:7.1f} s: {predicted_s / true_s - 1:+.0%}"
            )
    true_bytes, predicted_bytes = sum(second.bytes_by_kind.values()), sum(costs.bytes_by_kind.values())
    print(
        f"bytes        predicted {predicted_bytes:,}, measured {true_bytes:,}: {predicted_bytes / true_bytes - 1:+.0%}"
    )


if __name__ == "__main__":
    main()
