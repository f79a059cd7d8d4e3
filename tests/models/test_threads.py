"""How many cores a process may use."""

import os
import subprocess
import sys

import pytest

# Without the limits that these tests set themselves.
PLAIN = {name: value for name, value in os.environ.items() if not name.endswith(("_NUM_THREADS", "_THREADS_NUM"))}
PROGRAM = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from vidal.models.threads import usable_cores
print(usable_cores())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the cores of a process")
def test_a_process_that_is_limited_to_one_core_uses_one():
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "1"


def test_at_most_the_cores_of_the_machine_are_used():
    from vidal.models.threads import usable_cores

    assert 1 <= usable_cores() <= (os.cpu_count() or 1)


@pytest.mark.parametrize("order", ["import cv2; limit_threads(1)", "limit_threads(1); import cv2"])
def test_opencv_is_limited_whether_it_is_loaded_before_or_after(order):
    program = f"from vidal.models.threads import limit_threads; {order}; print(cv2.getNumThreads())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, env=PLAIN)
    assert done.stdout.strip() == "1"
