"""Every view of the shared clips, present or absent and why, and twenty captions to be read: `python -m benchmarks.captions_table`."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import pandas as pd
from aiohttp import web

from tests.conftest import SHARED
from tests.support.inline import vidal_inline
from vidal.sources.embedded.site import serve

_WRITTEN = ("title", "hashtags")


def build(folder: Path) -> Path:
    """The 32 clips of videos/ through the embedded recipe; none is filtered."""
    app = web.Application()
    app.router.add_static("/", SHARED)
    lines = (SHARED / "videos" / "index.jsonl").read_text().splitlines()
    with serve(app) as base:
        entries = [json.loads(line) for line in lines]
        listed = [
            {"url": f"{base}/{each['file']}", "title": each["caption"], "licence": each["licence"]} for each in entries
        ]
        pd.DataFrame(listed).to_csv(folder / "clips.csv", index=False)
        sets = ("filters.similarity_min=null", "text.duration_max_s=60", "duplicates.near=false")
        arguments = [argument for each in sets for argument in ("--set", each)]
        arguments += [
            "--catalogue",
            str(folder / "clips.csv"),
            "--allow-host",
            "127.0.0.1",
            "--out",
            str(folder / "out"),
        ]
        done = vidal_inline("build-shard", "0", *arguments)
    assert done.returncode == 0, done.stderr
    return folder / "out"


def without_provenance(rows: pd.DataFrame) -> list[str]:
    """Captions of models that lack a model, revision or prompt."""
    made = [each for captions in rows.captions for each in captions if each["view"] not in _WRITTEN]
    return [
        each["text"]
        for each in made
        if not (each["model"] and each["revision"] and len(each["prompt_sha256"] or "") == 64)
    ]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = build(Path(folder))
        rows, ledger = pd.read_parquet(out), pd.read_parquet(out / "_ledger")
    ended = ledger[(ledger.subject != "view") & (ledger.status != "kept")]
    views = ledger[(ledger.subject == "view") & ledger.parent_id.isin(rows.clip_id)]
    print(f"{len(rows)} clips; captions without provenance: {len(without_provenance(rows))}\n")
    for each in ended.itertuples():
        print(f"not among them: {each.stage} {each.reason}: {each.detail}")
    print(views.groupby(["view", "status", "reason"]).size().to_string(), "\n")
    made = [each for captions in rows.captions for each in captions if each["text"] and each["view"] != "hashtags"]
    for each in made[:: max(1, len(made) // 20)][:20]:
        print(f"{each['view']:9} {each['similarity'] or 0:5.2f}  {each['text']}  {list(each['flags']) or ''}")


if __name__ == "__main__":
    main()
