"""How many cores a process may use."""

import os
import subprocess
import sys

import pytest

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
