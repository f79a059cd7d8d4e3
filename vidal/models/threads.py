"""How many threads the numeric libraries of a process use: the recipe decides, once a process."""

from __future__ import annotations

import os
import sys

# Read by OpenMP, MKL and OpenBLAS when they are loaded, which for torch is after this.
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_limit = 1


def limit_threads(count: int) -> None:
    """Limits what torch, OpenCV and the BLAS libraries of this process use for one operation, whether they are loaded or not."""
    global _limit
    _limit = count
    for name in _VARIABLES:
        os.environ[name] = str(count)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(count)


def thread_count() -> int:
    """For libraries that are told when a model is opened: what limit_threads was given last, else 1."""
    return _limit
