"""A worker may outlive its driver by seconds: what fails then is no outcome. And what a process loads before it has work."""

import subprocess
import sys

import pytest

from vidal.config.loading import load_recipe
from vidal.dataset import discover
from vidal.errors import RunEndedError
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Runtime
from vidal.sources.embedded.site import HOST, serve_embedded
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage


@pytest.fixture
def recipe():
    return load_recipe("embedded", ("limit=2", "terms.count=3"))


def test_a_search_that_fails_after_the_driver_is_not_frozen(recipe, tmp_path):
    with serve_embedded() as url:
        runtime = Runtime(str(tmp_path), "run", (HOST,), {"embedded": url})
    with pytest.raises(RunEndedError):
        discover.discover(recipe, runtime, 0)
    assert discover.parts(Storage(str(tmp_path)), recipe, 0) is None


def test_a_download_that_fails_after_the_driver_is_not_recorded(recipe, tmp_path):
    storage = Storage(str(tmp_path))
    with serve_embedded() as url:
        runtime = Runtime(str(tmp_path), "run", (HOST,), {"embedded": url})
        part = discover.discover(recipe, runtime, 0)[0]
    with pytest.raises(RunEndedError):
        PartRunner(STAGES["crawl"], recipe, runtime).run(part)
    assert not storage.exists(layout.part_table("crawl", 0, part.index))


def test_stages_are_imported_without_torch():
    """Each of the pipeline's processes imports them all; torch costs it a quarter of a gigabyte."""
    program = "import sys, vidal.stages; print(*({'torch', 'transformers', 'spacy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
