"""How much of the machine a run uses: the resources of each stage, and the limits of the engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from vidal.config.base import Settings


class Resources(Settings):
    """What the workers of one stage request from the cluster, and how many workers there are."""

    cpus: float = Field(default=0.25, gt=0)
    """CPUs of one worker."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of one worker. A fraction lets several workers share a GPU."""
    gpu_memory: float | None = Field(default=None, gt=0)
    """GPU memory of one worker in GB, in place of `gpus`. Ignored if the cluster has no GPU."""
    batch_size: int | None = Field(default=None, ge=1)
    """Number of pictures that the model is given at a time. `null` means those of one clip. The number changes the speed, but not the
    results. Only for the stages `depth` and `infrared`."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory of one worker, in GB. `null` requests none."""
    parts_at_once: int | None = Field(default=None, ge=1)
    """Number of parts that one worker works on at the same time. With more than one, media are read and written while the model
    computes. `null` means 4 for a worker with a GPU, else 1. Only for the stages `measure`, `similarity`, `depth`, `infrared`,
    `audio`, `captions` and `sound`."""
    workers: tuple[int, int] = (1, 1)
    """Smallest and largest number of workers."""
    fuse: bool = False
    """Whether the stage shares the workers of the stage before it. Its own `cpus`, `gpus` and `workers` are then not used."""

    @field_validator("workers")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1]:
            raise ValueError("must be [min, max] with 1 <= min <= max")
        return value

    @model_validator(mode="after")
    def _one_share(self) -> Resources:
        if self.gpus and self.gpu_memory:
            raise ValueError("give gpus or gpu_memory, not both")
        return self


class Engine(Settings):
    """How a build runs. Of these keys, only `keep_stale` and `record_crashes_max` can change the rows of the dataset."""

    executor: Literal["ray", "inline"] = "ray"
    """`ray` runs the stages as worker processes of Ray. `inline` runs everything in one process, for a debugger or a profiler."""
    part_size: int = Field(default=32, ge=1)
    """Number of candidates in a part."""
    parts_in_flight: int = Field(default=16, ge=1)
    """Largest number of parts that are in the pipeline at one time."""
    phases: Literal["auto", "never"] = "auto"
    """What happens if the cluster cannot hold the workers of all stages at once. `auto` runs groups of stages one after another.
    `never` waits until the cluster has grown."""
    part_attempts: int = Field(default=4, ge=1)
    """Largest number of attempts of a part, if the storage fails."""
    part_backoff_s: float = Field(default=2.0, ge=0)
    """Pause before the second attempt. It doubles with each further attempt."""
    threads: int = Field(default=1, ge=1)
    """Threads that numeric libraries use in one worker."""
    keep_stale: bool = False
    """Whether results of earlier versions of a stage are kept. If false, they are computed again. The option `--keep-stale` sets this
    key."""
    record_crashes_max: int = Field(default=2, ge=1)
    """A candidate or clip that has killed its worker more often than this fails as `crashed`."""
    object_store_mb: int = Field(default=256, ge=80)
    """Size of Ray's object store in MB, if the command starts Ray."""
    log_level: Literal["info", "debug"] | None = None
    """Level of the log messages that workers send to the command. `null` sends none. The options `--verbose` and `--log-json` set
    this key to `info`."""
