"""A list of addresses through the command, as far as the crawl: what its ledger says of each address, and what was kept."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq

from tests.support.inline import Finished, vidal_inline

# So that a test does not wait for the politeness of a real crawl.
FAST = ("crawl.requests_per_s=1000", "crawl.burst=1000", "crawl.backoff_s=0", "crawl.stall_s=5")


@dataclass(frozen=True)
class Crawled:
    """finished: the command. outcomes: the row of the ledger of each address; clips: the rows of the clips of each address."""

    finished: Finished
    outcomes: dict[str, dict]
    clips: dict[str, dict]

    def reason(self, url: str) -> str:
        """Returns "kept" or the reason of the address."""
        row = self.outcomes[url]
        return "kept" if row["status"] == "kept" else row["reason"]


def crawl_list(
    tmp_path: Path, urls: list[str], *settings: str, allow: tuple[str, ...] = ("127.0.0.1",), title: str = "A cat runs"
):
    """Builds a catalogue of the addresses up to the crawl."""
    listed, out = tmp_path / "list.jsonl", tmp_path / "out"
    if not listed.exists():
        listed.write_text("".join(json.dumps({"url": url, "title": title}) + "\n" for url in urls))
    overrides = [part for setting in (*FAST, *settings) for part in ("--set", setting)]
    hosts = [part for host in allow for part in ("--allow-host", host)]
    finished = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(listed), "--out", str(out),
                            "--stage", "crawl", *overrides, *hosts)  # fmt: skip
    return read_crawl(finished, out)


def read_crawl(finished: Finished, out: Path) -> Crawled:
    candidates = {row["candidate_id"]: row["url"] for row in _rows(out, "discover", "part-*[0-9].parquet")}
    outcomes = {candidates[row["id"]]: row for row in _rows(out, "crawl", "part-*.ledger.parquet")}
    clips = {row["url"]: row for row in _rows(out, "crawl", "part-*[0-9].parquet")}
    return Crawled(finished, outcomes, clips)


def _rows(out: Path, stage: str, pattern: str) -> list[dict]:
    return [
        row
        for path in sorted(out.glob(f"_stages/{stage}/shard-00000/{pattern}"))
        for row in pq.read_table(path).to_pylist()
    ]
