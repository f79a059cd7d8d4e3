"""A source is one file and one entry: its keys, its candidates and its files need no change anywhere else."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, write_video
from vidal import ids, schema
from vidal.config.loading import load_recipe, with_filters
from vidal.crawl.crawler import Crawler
from vidal.dataset import discover
from vidal.errors import RecordError, UserError
from vidal.pipeline.stage import Runtime
from vidal.schema import Reason
from vidal.sources.registry import SOURCES, SourceEntry
from vidal.sources.search import plan_queries, run_queries
from vidal.sources.searches import search_name
from vidal.sources.settings import Search
from vidal.sources.source import Fetched
from vidal.storage.storage import Storage


class PathsSearch(Search):
    """file: a text file with one path a line."""

    source: str = "paths"
    file: str


class Paths:
    """As in docs/extending.md."""

    settings = PathsSearch

    def __init__(self, client, search, duration_max_s):
        self._file = Path(search.file)

    def search(self, term, limit):
        paths = [Path(line) for line in self._file.read_text(encoding="utf-8").splitlines() if line.strip()]
        return [_candidate_of(path) for path in paths if term.lower() in path.stem.lower()][:limit]

    def describe(self, candidate):
        return candidate

    def fetch(self, candidate, folder):
        path = Path(candidate["source_id"])
        if not path.is_file():
            raise RecordError(Reason.REMOVED, f"{path}: no such file")
        return Fetched(Path(shutil.copyfile(path, folder / "media.bin")))


def _candidate_of(path):
    return {
        "candidate_id": ids.candidate_id("paths", str(path), None, None),
        "source": "paths",
        "platform": "paths",
        "source_id": str(path),
        "url": path.as_uri(),
        "title": path.stem.replace("_", " "),
        "curated": True,
        "extra": {},
    }


@pytest.fixture
def paths_source(monkeypatch):
    monkeypatch.setitem(SOURCES, "paths", SourceEntry(f"{__name__}:Paths"))


def test_a_source_from_outside_is_searched_and_crawled(paths_source, tmp_path):
    listed, out = tmp_path / "paths.txt", str(tmp_path / "out")
    write_video(tmp_path / "a_cat_runs.mp4", frames=24, fps=12)
    listed.write_text(f"{tmp_path}/a_cat_runs.mp4\n{tmp_path}/a_lost_cat.mp4\n{tmp_path}/a_dog.mp4\n")
    recipe = load_recipe("embedded", search=[{"source": "paths", "file": str(listed), "per_term": 2}])
    runtime = Runtime(out, "run")
    results = run_queries(recipe, runtime, plan_queries(recipe, ["cat"], {}))
    rows = [{**candidate, "shard": 0} for candidate in results.candidates.values()]
    cat, lost = schema.table(rows, schema.CANDIDATES).to_pylist()
    crawler = Crawler(recipe, runtime, Storage(out))
    (clip,) = crawler(cat).rows
    assert (clip["platform"], clip["title"], clip["search_terms"]) == ("paths", "a cat runs", ["cat"])
    assert Storage(out).exists(clip["media_path"])
    with pytest.raises(RecordError, match=r"removed: .*a_lost_cat.mp4: no such file"):
        crawler(lost)


def test_a_bug_in_the_search_of_a_source_costs_its_query_alone_and_the_next_build_repeats_it(paths_source, tmp_path):
    listed, out = tmp_path / "paths.txt", str(tmp_path / "out")
    write_video(tmp_path / "a_cat_runs.mp4", frames=24, fps=12)
    listed.write_text(f"{tmp_path}/a_cat_runs.mp4\n")
    (tmp_path / "terms.txt").write_text("cat\ndog\n")
    searches = [{"source": "paths", "file": str(file), "per_term": 2} for file in (listed, tmp_path / "absent.txt")]
    corpora = {"corpora": [{"source": "x", "path": str(tmp_path / "terms.txt")}]}
    recipe = load_recipe("embedded", search=searches, terms=corpora)
    runtime, storage = Runtime(out, "run"), Storage(out)
    (part,) = discover.discover(recipe, runtime, 0)
    failures = discover.outcomes(storage, part)
    assert [row["reason"] for row in failures] == ["quarantined"] * 2 and "FileNotFoundError" in failures[0]["detail"]
    assert discover.candidates(storage, part)["title"].to_pylist() == ["a cat runs"]
    (tmp_path / "absent.txt").write_text(f"{tmp_path}/a_dog.mp4\n")
    discover.ask_quarantined_again(storage, 0)
    _, new = discover.search_again(recipe, runtime, 0)
    assert discover.outcomes(storage, part) == []
    assert discover.candidates(storage, new)["title"].to_pylist() == ["a dog"]


def test_each_search_is_read_with_the_keys_of_its_source(paths_source):
    for search, message in (
        ({"rating_mn": 3}, r"search\.0\.rating_mn: unknown key"),
        ({"source": "freesound", "key": "ytsearch"}, r"search\.0\.key: unknown key"),
        ({"source": "paths"}, r"search\.0\.file: Field required"),
        (
            {"source": "nowhere"},
            r"search\.0\.source: .*unknown source 'nowhere': choose from archive, freesound, paths, ",
        ),
        ("ytsearch", r"search\.0: Input should be a valid dictionary"),
    ):
        with pytest.raises(UserError, match=message):
            load_recipe("embedded", search=[search])


def test_a_recipe_keeps_every_key_of_its_searches_when_it_is_dumped_and_read_again():
    recipe = load_recipe(
        "embedded", search=[{"source": "freesound", "rating_min": 3}, {"key": "ytsearch", "shorts": True}]
    )
    assert with_filters(recipe, ("similarity_min=0.5",)).search == recipe.search
    assert recipe.model_dump(mode="json")["search"][0]["rating_min"] == 3


def test_a_stored_search_has_its_name_though_it_has_keys_of_other_sources():
    assert search_name({"source": "freesound", "key": "ytsearch", "shorts": False, "site": None}) == "freesound"
    assert search_name({"source": "ytdlp", "key": "vidalembedded", "rating_min": None}) == "vidalembedded"


def test_reading_a_recipe_loads_no_library_of_a_source():
    code = """
import sys
from vidal.config.loading import load_recipe
from vidal.sources.registry import SOURCES
load_recipe("vidal10m")
for entry in SOURCES.values():
    entry.load()
print([name for name in ("yt_dlp", "torch", "pandas", "ray", "cv2", "requests") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
