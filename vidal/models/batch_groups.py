"""Which pictures may go through a model at once, so that what comes out of it does not depend on the company.

On a CPU convolutions and matrix products of another batch size take other code paths, whose sums differ in the last bits:
about one stored pixel in 100,000 then differs by one unit. A batch gains nothing there, so that each picture goes alone.
On a GPU a batch is what keeps it busy, and the last bits depend on the card anyway.
"""

from __future__ import annotations


def group_into_batches(sizes: list[tuple[int, int]], device: str) -> list[list[int]]:
    """Indexes of pictures that go through a model at once: those of one size; on a CPU each alone."""
    if not device.startswith("cuda"):
        return [[index] for index in range(len(sizes))]
    groups: dict[tuple[int, int], list[int]] = {}
    for index, size in enumerate(sizes):
        groups.setdefault(size, []).append(index)
    return list(groups.values())
