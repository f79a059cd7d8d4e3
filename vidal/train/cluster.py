"""Trains on a Ray cluster: each worker is a process, and torch's DDP joins them. Only this module and the executors import ray."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypedDict

import torch

from vidal.errors import VidalError
from vidal.storage.storage import Storage
from vidal.train import run
from vidal.train.settings import Train

# If a worker dies, its whole group starts again from the last checkpoint, at most this many times.
FAILURES_MAX = 3


class _Work(TypedDict):
    """The arguments of a worker. settings: Train, as JSON. out: the path or URI of the dataset. folder: the folder of the run."""

    settings: dict[str, object]
    out: str
    folder: str


def train(settings: Train, out: str, folder: Path) -> None:
    """Trains with settings.processes workers on the cluster that this process has joined.

    out: the path or URI of the dataset. folder: the folder of the run. All workers must have access to both. If workers fail, all start
    again from the last checkpoint, at most FAILURES_MAX times. After that, the VidalError that stopped a worker is raised.
    """
    run.read_all(
        settings, Storage(out)
    )  # Reports wrong data before any worker starts, because failed workers would be restarted.
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer
    from ray.train.v2.api.exceptions import WorkerGroupError

    work: _Work = {"settings": settings.model_dump(mode="json"), "out": out, "folder": str(folder)}
    trainer = TorchTrainer(
        _worker,
        train_loop_config=work,
        scaling_config=ScalingConfig(num_workers=settings.processes, use_gpu=_has_gpu()),
        run_config=RunConfig(storage_path=str(folder / "ray"), failure_config=FailureConfig(max_failures=FAILURES_MAX)),
    )
    try:
        trainer.fit()
    except WorkerGroupError as error:
        for failure in error.worker_failures.values():
            cause: BaseException | None = failure
            while cause is not None:
                if isinstance(cause, VidalError):
                    raise cause from error
                cause = getattr(cause, "cause", None) or cause.__cause__
        raise


def _worker(work: _Work) -> None:
    from ray.train.torch import get_device

    run.train(Train.model_validate(work["settings"]), work["out"], Path(work["folder"]), _device(get_device()))


def _device(value: Any) -> torch.device:
    return value if isinstance(value, torch.device) else torch.device(value)


def _has_gpu() -> bool:
    import ray

    return bool(ray.cluster_resources().get("GPU"))
