"""How much of the machine a run uses: the resources of each stage, and the limits of the engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from vidal.config.base import Settings


class Resources(Settings):
    """The resources of one worker of a stage, and the number of workers."""

    cpus: float = Field(default=0.25, gt=0)
    """CPUs of one worker."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of one worker; a fraction means that several workers share a GPU."""
    gpu_memory: float | None = Field(default=None, gt=0)
    """GPU memory of one worker in GB, given instead of gpus. Ignored if the cluster has no GPU."""
    batch_size: int | None = Field(default=None, ge=1)
    """Pictures that the estimator of a view gets at a time; null means those of one clip. It affects speed, never rows."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory of one worker, in GB."""
    parts_at_once: int | None = Field(default=None, ge=1)
    """Parts that one worker of a stage with a model works on at the same time: the model computes for one of them, while media of the
    others are read and written. null: 4 for a worker with a GPU, else 1. The crawl has `crawl.parts_at_once`."""
    workers: tuple[int, int] = (1, 1)
    """The minimum and maximum number of workers."""
    fuse: bool = False
    """Whether the stage shares the worker of the stage before it."""

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
    """How a build runs. Nothing here changes a row, except that keep_stale keeps rows of earlier versions."""

    executor: Literal["ray", "inline"] = "ray"
    """ray, or inline, which runs everything in this process."""
    part_size: int = Field(default=32, ge=1)
    """Number of candidates in a part."""
    parts_in_flight: int = Field(default=16, ge=1)
    """The largest number of parts between crawl and manifest at one time."""
    phases: Literal["auto", "never"] = "auto"
    """auto: if the cluster cannot hold all stages at once, groups of stages run one after another. never: the build waits until the
    cluster can hold all stages, which suits a cluster that grows on demand."""
    part_attempts: int = Field(default=4, ge=1)
    """How often a part is tried if the storage fails."""
    part_backoff_s: float = Field(default=2.0, ge=0)
    """Pause before the second attempt, in seconds; it doubles with each further attempt."""
    threads: int = Field(default=1, ge=1)
    """Threads of numeric libraries in a worker."""
    keep_stale: bool = False
    """Whether the results of earlier versions of a stage are kept (--keep-stale)."""
    record_crashes_max: int = Field(default=2, ge=1)
    """How often a record may kill its worker and still be tried again; then it fails as `crashed`."""
    object_store_mb: int = Field(default=256, ge=80)
    """Size of Ray's object store on this machine, in MB."""
    log_level: Literal["info", "debug"] | None = None
    """Level of the log messages that workers send to the driver; null sends none."""
