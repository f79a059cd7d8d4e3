"""Estimates what a large dataset will cost, by scaling what a smaller dataset has cost."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vidal.config.recipe import Recipe
from vidal.dataset.measured import Measured, StageCost, models_of
from vidal.errors import UserError
from vidal.pipeline.stage import Stage
from vidal.stages.order import STAGES

_SUFFIXES = {"": 1, "k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Cluster:
    """A cluster of equal machines. cpus, gpus: the number in each machine."""

    nodes: int = 1
    cpus: float = 2.0
    gpus: float = 0.0

    @property
    def all_cpus(self) -> float:
        return self.nodes * self.cpus

    @property
    def all_gpus(self) -> float:
        return self.nodes * self.gpus


@dataclass(frozen=True)
class StageEstimate:
    """What one stage will cost. records: how many records the stage processes.

    cpu_hours: None if the stage was not measured with the recipe's models. why_not: the reason, or empty. gpu_hours: the hours for
    which workers hold a GPU, over all GPUs; 0 if the measured dataset was built without GPUs.
    """

    stage: str
    records: int
    cpu_hours: float | None
    why_not: str = ""
    gpu_hours: float = 0.0


@dataclass(frozen=True)
class HostEstimate:
    """The requests to one host. requests: a lower bound. days: how long these requests take at the rate that the recipe allows."""

    host: str
    requests: int
    days: float


@dataclass(frozen=True)
class Estimate:
    """What a dataset of `clips` clips will cost. where: the dataset whose costs were scaled. objects: the number of files.

    cpu_days, gpu_days: how many days the CPU work and the GPU work of all measured stages take on the cluster; gpu_days is None if the
    stages need GPUs and the cluster has none. tokens: how many the rewriter reads ("in") and writes ("out"). hosts: the requests to each
    host of the crawl, the slowest host first. bottleneck: a sentence about what takes longest.
    """

    where: str
    clips: int
    candidates: int
    stages: list[StageEstimate]
    cpu_days: float
    gpu_days: float | None
    bytes_by_kind: dict[str, int]
    objects: int
    tokens: dict[str, int]
    hosts: list[HostEstimate]
    bottleneck: str


def estimate(recipe: Recipe, clips: int, measured: Measured, cluster: Cluster) -> Estimate:
    """Scales the costs of a measured dataset to this number of clips. Raises UserError if the measured dataset kept no clip.

    Every cost is assumed to grow in proportion to the number of clips. Each host is assumed to supply the same share of the candidates as
    in the measured dataset. A stage that was not measured with the recipe's own models is not estimated.
    """
    if not measured.clips:
        raise UserError(
            f"{measured.where} has no clips from which costs could be estimated: build a shard that keeps some clips"
        )
    factor = clips / measured.clips
    stages = [_stage(stage, recipe, measured.stages.get(stage.name), factor) for stage in STAGES.values()]
    cpu_days = sum(stage.cpu_hours or 0.0 for stage in stages) / 24 / cluster.all_cpus
    gpu_hours = sum(stage.gpu_hours for stage in stages)
    gpu_days = gpu_hours / 24 / cluster.all_gpus if cluster.all_gpus else None if gpu_hours else 0.0
    hosts = _hosts(recipe, measured, factor)
    return Estimate(
        where=measured.where,
        clips=clips,
        candidates=_scaled(measured.candidates, factor),
        stages=stages,
        cpu_days=cpu_days,
        gpu_days=gpu_days,
        bytes_by_kind={kind: _scaled(size, factor) for kind, size in sorted(measured.bytes_by_kind.items())},
        objects=_scaled(sum(measured.objects_by_kind.values()), factor),
        tokens={name: _scaled(count, factor) for name, count in measured.tokens.items()},
        hosts=hosts,
        bottleneck=_bottleneck(stages, cpu_days, gpu_days, hosts),
    )


def parse_clips(text: str) -> int:
    """Parses a number of clips: "5000", "300k", "10M", "1B". Raises UserError for anything else."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kmb]?)", text.strip().lower().replace("_", ""))
    count = round(float(match[1]) * _SUFFIXES[match[2]]) if match else 0
    if count < 1:
        raise UserError(f"--clips {text}: must be a number such as 5000, 300k, 10M or 1B")
    return count


def parse_cluster(text: str) -> Cluster:
    """Parses "nodes=4,cpus=16,gpus=1", where cpus and gpus are those of one node. Raises UserError for anything else.

    Each key may be absent; the defaults are 1 node, 2 CPUs and no GPU.
    """
    try:
        values = {key.strip(): float(value) for key, value in (each.split("=") for each in text.split(","))}
        cluster = Cluster(int(values.pop("nodes", 1)), values.pop("cpus", 2.0), values.pop("gpus", 0.0))
    except ValueError:
        values, cluster = {"?": 0.0}, Cluster()
    if values or cluster.nodes < 1 or cluster.cpus <= 0 or cluster.gpus < 0:
        raise UserError(f"--cluster {text}: must look like nodes=4,cpus=16,gpus=1, with cpus and gpus of one node")
    return cluster


def _scaled(count: int, factor: float) -> int:
    return round(count * factor)


def _stage(stage: Stage, recipe: Recipe, cost: StageCost | None, factor: float) -> StageEstimate:
    records = _scaled(cost.records, factor) if cost else 0
    if cost is None or not cost.measured:
        return StageEstimate(stage.name, records, None if cost is None or cost.records else 0.0, "not measured")
    models = models_of(stage, recipe)
    if models != cost.models:
        return StageEstimate(stage.name, records, None, f"not measured with {', '.join(models) or 'no model'}")
    cpu_hours, gpu_hours = (seconds / cost.measured * records / 3600 for seconds in (cost.cpu_s, cost.gpu_s))
    return StageEstimate(stage.name, records, cpu_hours, gpu_hours=gpu_hours)


def _hosts(recipe: Recipe, measured: Measured, factor: float) -> list[HostEstimate]:
    """Returns how many requests the build sends to each host, and how many days they take. The slowest host is first.

    factor: the number of clips wanted, divided by the number of clips measured.
    """
    # The hourly budgets of identities are ignored.
    hosts = []
    for host, count in measured.requests.items():
        requests = _scaled(count, factor)
        limits = recipe.crawl.limits_of(host)
        a_day = min((limits.requests_per_s or 1.0) * _DAY_S, limits.daily_requests or float("inf"))
        hosts.append(HostEstimate(host, requests, requests / a_day))
    return sorted(hosts, key=lambda host: -host.days)


def _bottleneck(stages: list[StageEstimate], cpu_days: float, gpu_days: float | None, hosts: list[HostEstimate]) -> str:
    if gpu_days is None:
        return f"the stages need {sum(stage.gpu_hours for stage in stages):,.1f} GPU hours, but --cluster names no GPU: add gpus=N to it"
    working = f"all stages take {max(cpu_days, gpu_days):.1f} days of this cluster"
    if hosts and hosts[0].days > max(cpu_days, gpu_days):
        return f"the request rate of {hosts[0].host}: {hosts[0].days:.1f} days, while {working}"
    if gpu_days > cpu_days:
        slowest = max(stages, key=lambda stage: stage.gpu_hours)
        return f"the GPUs: {gpu_days:.1f} days, the largest share for the stage {slowest.stage}"
    slowest = max(stages, key=lambda stage: stage.cpu_hours or 0.0)
    return f"the CPUs: {cpu_days:.1f} days, the largest share for the stage {slowest.stage}"
