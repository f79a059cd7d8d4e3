"""Decides which pictures go through a model in one batch.

On a CPU, convolutions and matrix products take different code paths for different batch sizes, and their sums differ in the last
bits: about one stored pixel in 100,000 differs by one unit. Batches are not faster there, so each picture is processed alone, and its
result does not depend on other pictures. A GPU is faster with larger batches, and the sums differ between cards anyway.
"""

from __future__ import annotations


def group_into_batches(sizes: list[tuple[int, int]], device: str) -> list[list[int]]:
    """Returns the indices of the pictures in each batch: all pictures of one size on a GPU, a single picture on a CPU.

    sizes: (width, height) of each picture. device: as torch names it, such as "cpu" or "cuda:1".
    """
    if not device.startswith("cuda"):
        return [[index] for index in range(len(sizes))]
    groups: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(size, []).append(index)
    return list(groups.values())
