"""Decides whether workers fit a cluster. The CPUs and GPUs of one worker must be free on one node.

If a worker needs only a fraction of a GPU, this fraction must be free on a single GPU.
"""

from __future__ import annotations

from dataclasses import dataclass

# Tolerance of comparisons. Ray counts CPUs and GPUs in ten-thousandths.
_ROUNDING = 1e-6


@dataclass(frozen=True)
class Request:
    """The CPUs and GPUs of one worker. gpus: a whole number, or a fraction of one GPU."""

    cpus: float
    gpus: float

    def __str__(self) -> str:
        return f"{self.cpus:.4g} CPUs" + (f" and {self.gpus:.4g} GPUs" if self.gpus else "")


@dataclass(frozen=True)
class Node:
    """All CPUs and GPUs of a node of the cluster, whether or not they are in use now."""

    cpus: float
    gpus: int


class Room:
    """The CPUs and GPUs that are free in a cluster. Each call of `place` uses up some of them."""

    def __init__(self, nodes: list[Node]):
        self._cpus = [node.cpus for node in nodes]
        self._gpus = [[1.0] * node.gpus for node in nodes]

    def place(self, requests: list[Request]) -> bool:
        """Places workers one after the other, each on the first node that has room for it.

        Returns False if a worker finds no room. The workers before it stay placed.
        """
        return all(any(self._place_on(node, request) for node in range(len(self._cpus))) for request in requests)

    def _place_on(self, node: int, request: Request) -> bool:
        devices = self._gpus[node]
        share = min(request.gpus, 1.0)
        free = [index for index, room in enumerate(devices) if room >= share - _ROUNDING] if share else []
        count = max(1, round(request.gpus)) if share else 0
        if self._cpus[node] < request.cpus - _ROUNDING or len(free) < count:
            return False
        self._cpus[node] -= request.cpus
        for index in free[:count]:
            devices[index] -= share
        return True


def describe(nodes: list[Node]) -> str:
    """Returns, for a message, the largest number of CPUs and of GPUs that a node has."""
    cpus, gpus = max(node.cpus for node in nodes), max(node.gpus for node in nodes)
    which = "the cluster has one node" if len(nodes) == 1 else f"the cluster has {len(nodes)} nodes, the largest"
    return f"{which} with {cpus:.4g} CPUs and {gpus} GPUs"
