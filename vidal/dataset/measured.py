"""Computes what a dataset has cost (compute time, storage, requests, tokens) from its ledgers and files.

The cost of a larger dataset is estimated from these numbers.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from vidal.config.recipe import Recipe, recipe_from
from vidal.dataset import discover
from vidal.dataset.dataset_file import read_dataset
from vidal.dataset.shard_summary import ShardSummary, summaries_or_fail
from vidal.pipeline.stage import Part, Stage
from vidal.records import LedgerRow, rows_of
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage

# The costs of a build of the shared clips with the recipe `embedded`, see benchmarks/plan_costs.py.
_PACKAGED = "packaged_costs.json"


@dataclass(frozen=True)
class StageCost:
    """What a stage has cost. records: how many it processed. measured: how many of these have a known cost.

    cpu_s, gpu_s: the CPU seconds that the measured records took together, and the seconds for which their workers held GPUs.
    models: the models that the recipe chose, as "adapter: id".
    """

    records: int
    measured: int
    cpu_s: float
    models: list[str]
    gpu_s: float = 0.0


@dataclass(frozen=True)
class Measured:
    """What a dataset has cost. where: its name in messages. clips: the number in the manifests. stages: the costs by stage name.

    bytes_by_kind, objects_by_kind: the size and the number of the files, by kind: media ("video", "frames", ...), "tables" and
    "manifests". requests: the attempts to fetch candidates, by host. tokens: how many the rewriter read ("in") and wrote ("out").
    """

    where: str
    clips: int
    candidates: int
    stages: dict[str, StageCost]
    bytes_by_kind: dict[str, int]
    objects_by_kind: dict[str, int]
    requests: dict[str, int]
    tokens: dict[str, int]


def measure(out: str) -> Measured:
    """Returns what a dataset has cost. Raises UserError if `out` is not a dataset, or has no committed shard."""
    storage = Storage(out)
    read_dataset(storage)
    shards = summaries_or_fail(storage)
    sizes, objects = _files(storage)
    return Measured(
        where=out,
        clips=sum(sum(shard["rows"].values()) for shard in shards),
        candidates=sum(_records(shard, next(iter(STAGES))) for shard in shards),
        stages={stage.name: _stage_cost(storage, stage, shards) for stage in STAGES.values()},
        bytes_by_kind=dict(sizes),
        objects_by_kind=dict(objects),
        requests=dict(_requests(storage, shards)),
        tokens=dict(sum((Counter(shard["tokens"]) for shard in shards), Counter())),
    )


def packaged() -> Measured:
    """Returns what the packaged example has cost on a machine with two cores."""
    return parse(json.loads(resources.files("vidal.dataset").joinpath(_PACKAGED).read_text()))


def parse(values: dict[str, Any]) -> Measured:
    """Rebuilds a Measured from the values that `dump` returned."""
    stages = {name: StageCost(**cost) for name, cost in values["stages"].items()}
    return Measured(**{**values, "stages": stages})


def dump(measured: Measured) -> dict[str, Any]:
    return asdict(measured)


def models_of(stage: Stage, recipe: Recipe) -> list[str]:
    """Returns the models that a recipe chooses for a stage, each as a text "ADAPTER: ID".

    ADAPTER and ID are the values of the keys `adapter` and `id` in the recipe. If the recipe gives no id, ID is "packaged".
    """
    return [f"{use.spec.adapter}: {use.spec.id or 'packaged'}" for use in stage.models(recipe) if use.spec]


def _stage_cost(storage: Storage, stage: Stage, shards: list[ShardSummary]) -> StageCost:
    costs = [storage.metadata(name) for name in _ledgers(storage, stage.name, shards)]
    known = [cost for cost in costs if "cpu_s" in cost]
    return StageCost(
        records=sum(_records(shard, stage.name) for shard in shards),
        measured=sum(int(cost["records"]) for cost in known),
        cpu_s=round(sum(float(cost["cpu_s"]) for cost in known), 3),
        models=models_of(stage, recipe_from(shards[-1]["recipe"])),
        gpu_s=round(sum(float(cost.get("gpu_s", 0.0)) for cost in known), 3),
    )


def _records(shard: ShardSummary, stage: str) -> int:
    return sum(row["in"] for row in shard["funnel"] if row["stage"] == stage)


def _ledgers(storage: Storage, stage: str, shards: list[ShardSummary]) -> Iterator[str]:
    for shard in shards:
        for index in range(discover.part_count(storage, shard["shard"])):
            yield layout.part_ledger(stage, shard["shard"], index)


def _files(storage: Storage) -> tuple[Counter[str], Counter[str]]:
    """Returns the bytes and the number of all files of a dataset, by kind."""
    sizes, objects = Counter[str](), Counter[str]()
    for name, size in storage.sizes("").items():
        kind = layout.kind_of(name)
        sizes[kind] += size
        objects[kind] += 1
    return sizes, objects


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _requests(storage: Storage, shards: list[ShardSummary]) -> Counter[str]:
    """Counts the attempts to fetch candidates, by the host of the address that is fetched. An attempt may have made several requests."""
    requests = Counter[str]()
    for shard in shards:
        for index in range(discover.part_count(storage, shard["shard"])):
            part = Part(shard["shard"], index)
            table = discover.candidates(storage, part, ["candidate_id", "url", "media_url"])
            hosts = {row["candidate_id"]: _host(row["media_url"] or row["url"]) for row in table.to_pylist()}
            ledger = storage.read_table(layout.part_ledger("crawl", part.shard, part.index))
            for row in rows_of(ledger, LedgerRow):
                requests[hosts.get(row["id"], "")] += row["attempts"]
    requests.pop("", None)
    return requests
