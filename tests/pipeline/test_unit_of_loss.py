"""A record is the unit of loss: on a real Ray, with the real stages, one odd record takes no neighbour along."""

import json
import os
import signal
from dataclasses import replace

import pandas as pd
import pytest

from tests.conftest import LIGHT, write_video
from vidal.config.loading import load_recipe
from vidal.dataset import commit as shards
from vidal.dataset import dataset_file, discover
from vidal.dataset.api import build_shards
from vidal.dataset.dataset_file import claim
from vidal.dataset.listing_split import split_listing
from vidal.dataset.shard_summary import read_summary
from vidal.errors import StorageError
from vidal.pipeline.executors import executor_of
from vidal.pipeline.runner import PartRunner
from vidal.pipeline.stage import Part, Runtime
from vidal.stages.keyframes import stage as keyframes
from vidal.stages.measure import stage as measure
from vidal.stages.order import STAGES
from vidal.stages.similarity import stage as similarity
from vidal.storage import layout
from vidal.storage.storage import Storage

pytestmark = pytest.mark.xdist_group("ray")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"><rect width="64" height="48"/></svg>'


def failing(stage, title, fail):
    """The stage, but for the clip of that title, on which it calls `fail`."""

    def open_stage(recipe, runtime, storage):
        worker = stage.open(recipe, runtime, storage)
        return lambda clip: fail() if clip["title"] == title else worker(clip)

    return replace(stage, open=open_stage)


def divide_by_zero():
    raise ZeroDivisionError("measured by zero")


def die():
    """As a decoder's segfault does it."""
    os.kill(os.getpid(), signal.SIGKILL)


def test_one_part_with_an_svg_a_bug_and_a_killer_loses_these_three(on_ray, serve_folder, tmp_path):
    media = tmp_path / "media"
    media.mkdir()
    titles = ["one", "bug", "two", "killer", "three", "four", "five"]
    for index, title in enumerate(titles):
        write_video(media / f"{title}.mp4", frames=20 + 3 * index, size=(64 + 8 * index, 48))
    (media / "svg.svg").write_text(SVG)
    base = serve_folder(media)
    rows = [{"url": f"{base}/{title}.mp4", "title": title} for title in titles]
    pd.DataFrame([*rows, {"url": f"{base}/svg.svg", "title": "svg"}]).to_csv(tmp_path / "c.csv", index=False)
    recipe = load_recipe(
        "embedded",
        (*LIGHT, "engine.part_size=8", "filters.similarity_min=null", "duplicates={exact: false, near: false}"),
        catalogue=str(tmp_path / "c.csv"),
    )
    out = str(tmp_path / "out")
    storage, executor = Storage(out), executor_of(recipe)  # It joins the Ray that on_ray has started.
    stages = list({
        **STAGES,
        "keyframes": failing(keyframes.STAGE, "killer", die),
        # Neither reads the other: both fail on the same clip, which has one outcome all the same.
        "measure": failing(measure.STAGE, "bug", divide_by_zero),
        "similarity": failing(similarity.STAGE, "bug", divide_by_zero),
    }.values())  # fmt: skip
    claim(storage, recipe)
    split_listing(recipe, storage)
    with executor.session():
        runtime = Runtime(out, "run", ("127.0.0.1",), rate_limiter=executor.rate_limiter())
        parts = discover.discover(recipe, runtime, 0)
        with executor.pipeline(stages, runtime) as run:
            run(parts)
    report = shards.commit(storage, stages, recipe, parts)
    assert len(parts) == 1
    assert sorted(pd.read_parquet(out).title) == ["five", "four", "one", "three", "two"]
    ledger = pd.read_parquet(f"{out}/_ledger")
    lost = ledger[(ledger.subject != "view") & (ledger.status == "failed")]
    assert sorted(zip(lost.stage, lost.reason, strict=True)) == [
        ("crawl", "not_media"), ("keyframes", "crashed"), ("measure", "quarantined"),
    ]  # fmt: skip
    assert "ZeroDivisionError: measured by zero" in lost[lost.reason == "quarantined"].detail.iloc[0]
    assert report.is_faulty and report.quarantined == 1


def test_what_a_table_cannot_hold_fails_its_record_alone_and_bad_text_is_mended(tmp_path):
    from tests.support.stages_for_tests import ODD, recipe, seed_parts

    out = str(tmp_path)
    seed_parts(out, parts=1, size=4)
    with PartRunner(ODD, recipe(), Runtime(out, "run")) as runner:
        runner.run(Part(0, 0))
    storage, name = Storage(out), "_stages/odd/shard-00000/part-00000"
    rows = storage.read_table(f"{name}.parquet").to_pylist()
    assert [row["clip_id"] for row in rows] == ["c0-clip", "c1-\ufffd cat", "c3-clip"]
    outcomes = storage.read_table(f"{name}.ledger.parquet").to_pylist()
    assert {row["id"]: row["reason"] for row in outcomes} == {"c0": "ok", "c1": "ok", "c2": "unstorable", "c3": "ok"}


def test_a_disk_that_is_full_is_tried_again_with_back_off_and_then_ends_the_run_with_its_name(tmp_path, monkeypatch):
    from tests.support.stages_for_tests import FIRST, recipe, seed_parts

    out = str(tmp_path)
    seed_parts(out, parts=1, size=4)
    tries = []

    def full(*_):
        tries.append(1)
        raise OSError(28, "No space left on device")

    settings = recipe(part_attempts=3, part_backoff_s=0)
    runner = PartRunner(FIRST, settings, Runtime(out, "run"))
    with monkeypatch.context() as patched:
        patched.setattr("os.replace", full)
        with pytest.raises(StorageError, match="No space left on device"):
            runner.run(Part(0, 0))
    assert len(tries) == 3
    runner.run(Part(0, 0))
    assert Storage(out).read_table("_stages/first/shard-00000/part-00000.parquet").num_rows == 2


def test_a_disk_that_is_full_in_the_middle_of_a_record_blames_no_record(tmp_path):
    from tests.support.stages_for_tests import FULL, recipe, seed_parts

    seed_parts(str(tmp_path), parts=1, size=1)
    runner = PartRunner(FULL, recipe(part_attempts=1), Runtime(str(tmp_path), "run"))
    with pytest.raises(StorageError, match="No space left on device"):
        runner.run(Part(0, 0))


class Watched:
    """Collects the lines of a build."""

    def __init__(self):
        self.lines = []

    def say(self, line):
        self.lines.append(line)

    def report(self, report):
        pass


def test_stale_work_is_said_before_it_is_done_again_and_keep_stale_keeps_it(tmp_path, serve_folder, monkeypatch):
    media = tmp_path / "media"
    media.mkdir()
    for index in range(3):
        write_video(media / f"{index}.mp4", frames=20 + 4 * index, size=(64 + 8 * index, 48))
    base = serve_folder(media)
    rows = [{"url": f"{base}/{index}.mp4", "title": f"clip {index}"} for index in range(3)]
    pd.DataFrame(rows).to_csv(tmp_path / "c.csv", index=False)
    recipe = load_recipe(
        "embedded",
        (*LIGHT, "engine.executor=inline", "engine.part_size=2", "filters.similarity_min=null",
         "duplicates={exact: false, near: false}"),
        catalogue=str(tmp_path / "c.csv"),
    )  # fmt: skip
    out = str(tmp_path / "out")
    claim(Storage(out), recipe)
    kept = recipe.model_copy(update={"engine": recipe.engine.model_copy(update={"keep_stale": True})})

    def make(recipe):
        watcher = Watched()
        report = build_shards(recipe, out, "0", allow_hosts=("127.0.0.1",), watcher=watcher)
        return watcher.lines, report.shards[0]

    def stored(stage):
        return {path.name: path.stat().st_mtime_ns for path in (tmp_path / "out/_stages" / stage).rglob("*.parquet")}

    assert [line.partition(" ")[0] for line in make(recipe)[0]] == ["catalogue"]
    first = Storage(out).read_table("shard-00000.parquet")
    assert make(recipe)[1].done_before
    before = {name: stored(name) for name in STAGES}

    monkeypatch.setitem(STAGES, "captions", replace(STAGES["captions"], version=2))
    lines, report = make(kept)
    assert lines == [] and report.done_before and {name: stored(name) for name in STAGES} == before
    lines, report = make(recipe)
    assert lines == [
        "shard 0: captions: 3 clips are done again, with all that depends on them: captions was version 1, is now 2",
        "  --keep-stale keeps the results of earlier versions",
    ]
    assert not report.done_before and report.stale == {}
    assert {name for name in STAGES if stored(name) != before[name]} == {"captions"}  # They came out the same.
    again = Storage(out).read_table("shard-00000.parquet")
    assert again.to_pylist() == first.to_pylist() and make(recipe)[1].done_before
    assert again.schema.metadata != first.schema.metadata  # The versions that made it stand in it.

    monkeypatch.setitem(STAGES, "measure", replace(STAGES["measure"], version=2))
    (tmp_path / "out/shard-00000.parquet").unlink()
    lines, report = make(kept)
    assert lines == [] and report.stale == {"measure": 3}
    entry = read_summary(Storage(out), 0)
    assert entry is not None and entry["stale"] == {"measure": 3} and entry["versions"]["measure"] == 1
    assert not shards.is_committed(Storage(out), 0, list(STAGES.values()), recipe)


def test_a_dataset_of_before_versions_is_refused_in_one_line(tmp_path):
    from vidal.errors import UserError

    recipe = load_recipe("embedded")
    storage = Storage(str(tmp_path / "out"))
    claim(storage, recipe)
    dataset = dataset_file.read_dataset(storage)
    del dataset["work_version"]
    storage.write(layout.DATASET, json.dumps(dataset).encode())
    with pytest.raises(UserError, match="choose another --out"):
        claim(storage, recipe)


def test_a_looser_limit_of_the_crawl_finds_the_candidates_anew():
    def found(*overrides):
        return discover.identity(load_recipe("embedded", overrides), Storage("memory://none"), 0)

    for setting in ("crawl.licences=[CC0-1.0]", "crawl.block_uploaders=[x]", "text.duration_max_s=10"):
        assert found(setting) != found()
    assert found("crawl.attempts=9") == found("engine.executor=inline") == found()


PAGE = """<html><head><title>cats</title><script type="application/ld+json">
{"@context": "https://schema.org", "@type": "VideoObject", "name": "\\ud800 cat", "description": "d",
 "thumbnailUrl": "%(base)s/t.jpg", "uploadDate": "2020-01-01", "contentUrl": "%(base)s/%(name)s"}
</script></head><body></body></html>"""


def test_a_page_whose_title_holds_a_lone_surrogate_is_kept_and_mended(serve_folder, tmp_path):
    """C2: it ended the build, on every run."""
    media = tmp_path / "media"
    media.mkdir()
    write_video(media / "cat.mp4", size=(72, 48))
    write_video(media / "plain.mp4", frames=30)
    base = serve_folder(media)
    (media / "page.html").write_text(PAGE % {"base": base, "name": "cat.mp4"})
    rows = [(f"{base}/page.html", ""), (f"{base}/plain.mp4", "plain")]
    pd.DataFrame(rows, columns=["url", "title"]).to_csv(tmp_path / "c.csv", index=False)
    recipe = load_recipe(
        "embedded",
        (*LIGHT, "engine.executor=inline", "filters.similarity_min=null", "duplicates={exact: false, near: false}"),
        catalogue=str(tmp_path / "c.csv"),
    )
    out = str(tmp_path / "out")
    claim(Storage(out), recipe)
    report = build_shards(recipe, out, "0", allow_hosts=("127.0.0.1",))
    assert sorted(pd.read_parquet(out).title) == ["plain", "\ufffd cat"] and not report.is_faulty
