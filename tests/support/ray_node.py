"""A Ray cluster of one node, which has what it is said to have: Ray counts CPUs and GPUs as numbers."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator

from tests.conftest import ROOT

_SCRIPT = """
import json, sys
from ray.cluster_utils import Cluster
options = {"object_store_memory": 150 * 2**20, **json.loads(sys.argv[1])}
cluster = Cluster(initialize_head=True, head_node_args=options)
print(cluster.address, flush=True)
sys.stdin.read()
cluster.shutdown()
"""


@contextlib.contextmanager
def ray_node(**resources: int) -> Iterator[str]:
    """Yields the address that RAY_ADDRESS takes. resources: num_cpus, num_gpus."""
    command = [sys.executable, "-c", _SCRIPT, json.dumps(resources)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    try:
        assert process.stdin and process.stdout
        address = process.stdout.readline().strip()
        assert address, "the cluster did not start"
        yield address
        process.stdin.close()
        process.wait(60)
    finally:
        process.kill()
        process.wait()
