"""What a run takes of the machine: resources of a stage, sizes of the engine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from vidal.config.base import Settings


class Resources(Settings):
    """What one worker of a stage needs, and how many workers there may be."""

    cpus: float = Field(default=0.25, gt=0)
    """CPUs of one worker."""
    gpus: float = Field(default=0.0, ge=0)
    """GPUs of one worker; a fraction shares one."""
    gpu_memory: float | None = Field(default=None, gt=0)
    """In place of gpus: GB of the memory of one GPU. Ignored where the cluster has no GPU."""
    batch_size: int | None = Field(default=None, ge=1)
    """Pictures that the estimator of a view gets at a time; null is one clip's. It alters speed, never rows."""
    memory_gb: float | None = Field(default=None, gt=0)
    """Memory of one worker."""
    workers: tuple[int, int] = (1, 1)
    """Number of workers, from and to."""
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
    """How a build runs. Nothing here alters a row."""

    executor: Literal["ray", "inline"] = "ray"
    """ray, or inline, which runs everything in this process."""
    part_size: int = Field(default=32, ge=1)
    """Candidates of a part."""
    parts_in_flight: int = Field(default=16, ge=1)
    """Parts between crawl and manifest at one time, at most."""
    part_attempts: int = Field(default=4, ge=1)
    """How often a part is tried whose table or storage fails."""
    part_backoff_s: float = Field(default=2.0, ge=0)
    """Pause before the second attempt; it doubles with each one."""
    threads: int = Field(default=1, ge=1)
    """Threads of numeric libraries in a worker."""
    keep_stale: bool = False
    """Whether work of earlier versions of a stage is kept (--keep-stale)."""
    record_crashes_max: int = Field(default=2, ge=1)
    """How often one record may kill its worker."""
    object_store_mb: int = Field(default=256, ge=80)
    """Ray's object store on this machine."""
    log_level: Literal["info", "debug"] | None = None
    """Level of the records that workers send to the driver; null sends none."""
