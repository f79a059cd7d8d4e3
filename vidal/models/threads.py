"""Sets how many threads the numeric libraries of a process use, as engine.threads in the recipe says."""

from __future__ import annotations

import os
import sys

# OpenMP, MKL, OpenBLAS and OpenCV read these when they are loaded. Torch loads its own copies later than this module.
_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")
_limit = 1


def limit_threads(count: int) -> None:
    """Limits the threads that torch, OpenCV and the BLAS libraries use for one operation.

    BLAS libraries read the limit when they are loaded, so this has no effect on those that are loaded already.
    """
    global _limit
    _limit = count
    for name in _VARIABLES:
        os.environ[name] = str(count)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(count)
    if cv2 := sys.modules.get("cv2"):
        cv2.setNumThreads(count)


def usable_cores() -> int:
    """Returns the number of cores that this process may use. In a container or a Slurm job, the machine may have more cores."""
    import joblib  # It loads numpy, which must not be loaded before limit_threads has been called.

    return int(joblib.cpu_count())


def thread_count() -> int:
    """Returns the limit that limit_threads has set, or else 1. For libraries that take the number of threads when they open a model."""
    return _limit
