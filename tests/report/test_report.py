import shutil

import pytest

from tests.support.inline import vidal_inline
from vidal import schema
from vidal.report.report import report
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage.storage import Storage


@pytest.fixture
def copy(embedded, tmp_path):
    return shutil.copytree(embedded, tmp_path / "copy")


def test_a_report_shows_every_clip_and_every_reject_and_loads_nothing(copy):
    done = vidal_inline("report", str(copy))
    assert done.returncode == 0
    page = (copy / "_reports/shard-00000.html").read_text()
    for text in ("Curious tabby cat looks around", "low_similarity", "false_duration", "no_frames", "watch/gone"):
        assert text in page
    assert "<script" not in page and 'src="http' not in page and "<link" not in page


def test_crawled_text_is_escaped(copy):
    storage = Storage(str(copy))
    rows = storage.read_table("shard-00000.parquet").to_pylist()
    rows[0]["title"] = "<img src=x onerror=alert(1)>"
    storage.write_table("shard-00000.parquet", schema.table(rows, manifest_schema(VIEWS)))
    report(str(copy))
    assert "<img src=x" not in (copy / "_reports/shard-00000.html").read_text()
