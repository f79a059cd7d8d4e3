"""What the stages in one worker process share: a limit on the number of parts in work at once, and a count of the GPU seconds."""

from __future__ import annotations

import time
from dataclasses import dataclass

from vidal.pipeline.meter import Meter
from vidal.pipeline.turns import Turns


@dataclass(frozen=True)
class Process:
    """What the stages in one worker process share.

    turns: limits how many parts the process works on at once. gpu_meter: measures the GPU seconds of its parts.
    """

    turns: Turns
    gpu_meter: Meter


def process(parts_at_once: int, gpus: float = 0.0) -> Process:
    """Returns the Process of a worker. gpus: the number of GPUs that the process holds, or its share of one."""
    return Process(Turns(parts_at_once), Meter(lambda: gpus * time.monotonic()))
