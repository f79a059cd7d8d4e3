"""How much of the machine a run uses: the resources of each stage, and the limits of the engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from vidal.config.base import Settings


class Resources(Settings):
    """What the workers of one stage request from the cluster, and how many workers there are."""

    cpus: float = Field(default=0.25, gt=0)
    """CPUs that one worker requests."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs that one worker requests. A fraction lets several workers share a GPU."""
    gpu_memory: float | None = Field(default=None, gt=0)
    """GPU memory that one worker requests in GB, given instead of `gpus`. Ignored if the cluster has no GPU."""
    batch_size: int | None = Field(default=None, ge=1)
    """Number of pictures that the model of the stage is given at a time; null means those of one clip. It affects speed, never rows.
    Used by the stages depth and infrared."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory that one worker requests, in GB; null requests none."""
    parts_at_once: int | None = Field(default=None, ge=1)
    """Number of parts that one worker works on at the same time: the model computes for one of them, while media of the others are
    read and written. null means 4 for a worker with a GPU, else 1. Only for stages with a model; for the crawl, use
    crawl.parts_at_once."""
    workers: tuple[int, int] = (1, 1)
    """The smallest and the largest number of workers."""
    fuse: bool = False
    """Whether the stage shares the worker processes of the stage before it. Its own cpus, gpus and workers are then not used."""

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
    """How a build runs. These keys change no row, except that keep_stale keeps rows of earlier versions."""

    executor: Literal["ray", "inline"] = "ray"
    """`ray`: stages run as worker processes of Ray. `inline`: everything runs in one process, for a debugger or a profiler."""
    part_size: int = Field(default=32, ge=1)
    """Number of candidates in a part. Shards are processed in parts."""
    parts_in_flight: int = Field(default=16, ge=1)
    """The largest number of parts that are between the first and the last stage at one time."""
    phases: Literal["auto", "never"] = "auto"
    """What happens if the cluster cannot hold the workers of all stages at once. `auto`: groups of stages run one after another.
    `never`: the build waits until the cluster can hold them, which suits a cluster that grows on demand."""
    part_attempts: int = Field(default=4, ge=1)
    """How often a part is attempted in all, if the storage fails."""
    part_backoff_s: float = Field(default=2.0, ge=0)
    """The pause before the second attempt, in seconds. It doubles with each further attempt."""
    threads: int = Field(default=1, ge=1)
    """Number of threads that numeric libraries use in one worker."""
    keep_stale: bool = False
    """Whether results of earlier versions of a stage are kept, instead of being computed again. The option --keep-stale sets it."""
    record_crashes_max: int = Field(default=2, ge=1)
    """If a candidate or clip has killed its worker more often than this, it is not tried again, and fails as `crashed`."""
    object_store_mb: int = Field(default=256, ge=80)
    """Size of Ray's object store in MB, if the command starts Ray itself."""
    log_level: Literal["info", "debug"] | None = None
    """Level of the log messages that workers send to the command; null sends none. The options --verbose and --log-json set it."""
