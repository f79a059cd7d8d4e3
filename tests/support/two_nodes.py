"""A Ray cluster of two nodes on this machine. Its second node is killed -9 with all its workers, and replaced."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator

from tests.conftest import ROOT

# Either node alone can hold every stage of the embedded recipe, so that a build goes on after the other's death.
_SCRIPT = """
import psutil
from ray.cluster_utils import Cluster
options = {"num_cpus": 2, "object_store_memory": 150 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args=options)
node = cluster.add_node(**options)
print(cluster.address, flush=True)
for _ in iter(input, "end"):
    raylet = psutil.Process(node.all_processes["raylet"][0].process.pid)
    workers = [child for child in raylet.children(recursive=True) if "::_Worker" in " ".join(child.cmdline())]
    cluster.remove_node(node, allow_graceful=False)
    for worker in workers:
        try:
            worker.kill()
        except psutil.NoSuchProcess:
            pass
    node = cluster.add_node(**options)
    print(len(workers), flush=True)
cluster.shutdown()
"""


class TwoNodes:
    def __init__(self, process: subprocess.Popen[str]):
        self._process = process
        self.address = self._line()

    def kill_node(self) -> int:
        """Kills the second node, starts another, and returns how many workers that held stages died with it."""
        self._tell("kill")
        return int(self._line())

    def end(self) -> None:
        self._tell("end")
        self._process.wait(60)

    def _tell(self, word: str) -> None:
        assert self._process.stdin
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()

    def _line(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        assert line, "the cluster has ended"
        return line


@contextlib.contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        cluster = TwoNodes(process)
        yield cluster
        cluster.end()
    finally:
        process.kill()
        process.wait()
