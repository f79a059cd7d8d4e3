"""The group of processes that train together: one process, or several joined by torch.distributed."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn

ValueT = TypeVar("ValueT")


def rank() -> int:
    """Returns the number of this process in the group, counted from 0."""
    return dist.get_rank() if dist.is_initialized() else 0


def world() -> int:
    """Returns the number of processes in the group."""
    return dist.get_world_size() if dist.is_initialized() else 1


def on_rank0(action: Callable[[], object]) -> None:
    """Runs an action in the process of rank 0 while the others wait. If the action raises an exception, every process raises it."""
    problem: list[BaseException | None] = [None]
    if rank() == 0:
        try:
            action()
        except BaseException as error:
            if world() == 1:
                raise
            problem = [error]
    if world() > 1:
        dist.broadcast_object_list(problem)
    if problem[0] is not None:
        raise problem[0]


def from_rank0(action: Callable[[], ValueT]) -> ValueT:
    """Runs an action in the process of rank 0, and returns its result in every process.

    If the action raises an exception, every process raises it.
    """
    result: list[ValueT] = []
    on_rank0(lambda: result.append(action()))
    if world() > 1:
        shared: list[list[ValueT]] = [result]
        dist.broadcast_object_list(shared)
        result = shared[0]
    return result[0]


def all_true(value: bool, device: torch.device) -> bool:
    """Returns whether the value is true in every process."""
    if world() == 1:
        return value
    flag = torch.tensor(int(value), device=device)
    dist.all_reduce(flag, dist.ReduceOp.MIN)
    return bool(flag.item())


def mean(value: float, device: torch.device) -> float:
    """Returns the mean of the values of all processes."""
    if world() == 1:
        return value
    total = torch.tensor(value, dtype=torch.float64, device=device)
    dist.all_reduce(total)
    return float(total) / world()


def all_gather(value: ValueT) -> list[ValueT]:
    """Returns the values of all processes, in order of rank."""
    if world() == 1:
        return [value]
    values = [value] * world()  # all_gather_object replaces each of them.
    dist.all_gather_object(values, value)
    return values


def average_gradients(weights: list[nn.Parameter]) -> None:
    """Replaces the gradients of the weights by their mean over all processes."""
    if world() == 1:
        return
    for weight in weights:
        if weight.grad is None:
            weight.grad = torch.zeros_like(weight)  # Every process must take part in every reduction.
        dist.all_reduce(weight.grad)
        weight.grad /= world()
