"""The shared clips through the embedded recipe: each ends in the manifest or in the ledger."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from tests.support.inline import vidal_inline


def build_all(shared: Path, base: str, folders: tuple[str, ...], folder: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """How each clip of these folders has ended, a row a candidate, and the manifest.

    base: where `shared` is served. Raises AssertionError where a clip is lost or has killed something, or the shard is not valid.
    """
    rows = []
    for name in folders:
        for line in (shared / name / "index.jsonl").read_text().splitlines():
            entry = json.loads(line)
            caption = entry.get("caption") or entry["description"]
            rows.append({"url": f"{base}/{entry['file']}", "title": caption, "licence": entry["licence"]})
    pd.DataFrame(rows).to_csv(folder / "clips.csv", index=False)
    out = folder / "out"
    done = vidal_inline("build-shard", "0", "--recipe", "embedded", "--catalogue", str(folder / "clips.csv"),
                        "--allow-host", "127.0.0.1", "--out", str(out), "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    ledger = pd.read_parquet(out / "_ledger")
    candidates, clips = ledger[ledger.subject == "candidate"], ledger[ledger.subject == "clip"]
    assert len(candidates) == len(rows)
    assert set(clips.parent_id) == set(candidates[candidates.status == "kept"].id)
    ended = pd.concat([candidates[candidates.status != "kept"], clips])
    assert len(ended) == len(rows) and ended.reason.notna().all()
    print("\n" + ended.groupby(["status", "reason"]).size().to_string())
    assert not ended.reason.isin(["crashed", "quarantined"]).any()
    assert vidal_inline("validate", str(out)).returncode == 0
    return ended, pd.read_parquet(out)
