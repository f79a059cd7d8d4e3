"""Workers on two Ray nodes keep a host's limits together, as its server sees them."""

import subprocess
import sys
import time

import pytest
from aiohttp import web

from tests.conftest import ROOT
from vidal.sources.embedded.media import build_media
from vidal.sources.embedded.site import serve

# Two nodes of one core each on this machine; a crawl worker takes most of a core, so that each gets one.
SCRIPT = """
import sys
from ray.cluster_utils import Cluster
import ray
cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 100 * 2**20})
cluster.add_node(num_cpus=1, object_store_memory=100 * 2**20)
ray.init(address=cluster.address, log_to_driver=False)
from vidal import schema
from vidal.pipeline.executors import executor_of
from vidal.config.loading import load_recipe
from tests.support.listed import listed as read
from vidal.pipeline.parts import commit_part
from vidal.pipeline.stage import Part, Runtime
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage
out, listed = sys.argv[1:]
recipe = load_recipe("catalogue", ("crawl.requests_per_s=4", "crawl.burst=2", "crawl.robots=false", "crawl.concurrency=4",
    "crawl.host_concurrency=8", "crawl.attempts=1", "resources.crawl={cpus: 0.7, workers: [2, 2]}"))
rows = [{**row, "shard": 0} for row in read(listed)]
parts = [Part(0, index) for index in range(8)]
for part in parts:
    commit_part(Storage(out), layout.part("discover", 0, part.index), rows[part.index::8], [], schema.CANDIDATES, {})
runtime = Runtime(out, "run", ("127.0.0.1",), rate_limiter=executor_of(recipe).rate_limiter())
with executor_of(recipe).pipeline([STAGES["crawl"]], runtime) as run:
    run(parts)
nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
clip_count = sum(Storage(out).read_table(layout.part_table('crawl', 0, part.index)).num_rows for part in parts)
print(len(nodes), clip_count)
ray.shutdown()
cluster.shutdown()
"""


@pytest.fixture
def site():
    """Answers 429 for state["shy_s"] after the first request; yields its address, the times of all requests, and the state."""
    media, times, state = build_media() / "dog-sound.mp3", [], {"shy_s": 0, "shy_until": 0.0}

    async def get(request):
        now = time.monotonic()
        times.append(now)
        if state["shy_s"] and not state["shy_until"]:  # From the first request: its nodes take their time to start.
            state["shy_until"] = now + state["shy_s"]
        if now < state["shy_until"]:
            return web.Response(status=429, headers={"Retry-After": str(int(state["shy_until"] - now) + 1)})
        return web.FileResponse(media)

    app = web.Application()
    app.router.add_get("/{name}", get)
    with serve(app) as url:
        yield url, times, state


def crawl(tmp_path, url, count):
    (tmp_path / "c.csv").write_text("url,title\n" + "".join(f"{url}/{n}.mp3,A dog {n}\n" for n in range(count)))
    command = [sys.executable, "-c", SCRIPT, str(tmp_path / "out"), str(tmp_path / "c.csv")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr[-3000:]
    return [int(word) for word in done.stdout.split()[-2:]]


def test_workers_on_two_nodes_keep_a_hosts_rate_together(site, tmp_path):
    url, times, _ = site
    assert crawl(tmp_path, url, 32) == [2, 32]
    assert len(times) == 32
    # 4 a second after a burst of 2: any window of s seconds holds at most 2 + 4 s requests (and one for the clocks).
    for first in range(len(times)):
        for last in range(first, len(times)):
            assert last - first + 1 <= 2 + 4 * (times[last] - times[first]) + 2.5


@pytest.mark.slow
def test_a_host_that_answers_429_for_a_minute_is_left_alone_and_finished_afterwards(site, tmp_path):
    url, times, state = site
    state["shy_s"] = 60
    assert crawl(tmp_path, url, 12) == [2, 12]
    shy = [at for at in times if at < state["shy_until"]]
    print(f"\nrequests while it was unwilling: {len(shy)}, over {shy[-1] - shy[0]:.0f} s")
    assert len(shy) <= 12
    assert len(times) - len(shy) == 12
