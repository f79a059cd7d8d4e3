"""Decides which pictures go through a model in one batch, so that the result for a picture does not depend on the others.

On a CPU, convolutions and matrix products take different code paths for different batch sizes, and their sums differ in the last
bits: about one stored pixel in 100,000 differs by one unit. Batches gain nothing there, so each picture is processed alone. A GPU
needs batches to be busy, and its last bits depend on the card anyway.
"""

from __future__ import annotations


def group_into_batches(sizes: list[tuple[int, int]], device: str) -> list[list[int]]:
    """Returns the indices of the pictures in each batch: pictures of one size on a GPU, a single picture on a CPU.

    sizes: (width, height) of each picture. device: as torch names it.
    """
    if not device.startswith("cuda"):
        return [[index] for index in range(len(sizes))]
    groups: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(size, []).append(index)
    return list(groups.values())
