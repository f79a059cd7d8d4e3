"""Show: a list of 100 addresses of which 20 are bad, and a retry after ten of them were mended."""

import json

import pandas as pd
import pytest
import yaml
from aiohttp import web

from tests.conftest import LIGHT, sets, vidal, write_video
from tests.support.inline import vidal_inline
from vidal.config.loading import load_recipe
from vidal.dataset import discover, retry
from vidal.pipeline.stage import Part, Runtime
from vidal.sources.embedded.media import build_media
from vidal.sources.embedded.site import serve
from vidal.storage import layout
from vidal.storage.storage import Storage


class Site:
    """100 addresses: 80 are good, 10 answer 503 until they are mended, 10 are gone for good."""

    def __init__(self, media):
        self.media, self.is_mended, self.asked = media, False, []

    async def get(self, request):
        number = int(request.match_info["number"])
        self.asked.append(number)
        if 80 <= number < 90 and not self.is_mended:
            raise web.HTTPServiceUnavailable
        if number >= 90:
            raise web.HTTPNotFound
        return web.FileResponse(self.media)

    def app(self):
        app = web.Application()
        app.router.add_get("/{number}.mp3", self.get)
        return app


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_twenty_bad_of_a_hundred_are_in_the_ledger_and_a_retry_adds_those_that_were_mended(tmp_path):
    site = Site(build_media() / "dog-sound.mp3")
    with serve(site.app()) as url:
        rows = [{"url": f"{url}/{n}.mp3", "title": f"A dog barks, take {n}"} for n in range(100)]
        pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
        out = tmp_path / "out"
        settings = ("crawl.requests_per_s=500", "crawl.burst=100", "crawl.attempts=1", "crawl.breaker_failures=1000",
                    "duplicates={exact: false, near: false}", "enhanced.model=null", "filters.similarity_min=-1",
                    "engine.part_size=50")  # fmt: skip
        done = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "clips.csv"), "--out", str(out),
                     "--allow-host", "127.0.0.1", *(word for each in settings for word in ("--set", each)))  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert len(pd.read_parquet(out)) == 80
        ledger = pd.read_parquet(out / "_ledger")
        failed = ledger[(ledger.subject == "candidate") & (ledger.status == "failed")]
        assert failed.reason.value_counts().to_dict() == {"http_404": 10, "http_5xx": 10}
        site.is_mended, site.asked = True, []
        done = vidal("retry", str(out), "--class", "transient", "--allow-host", "127.0.0.1")
        assert done.returncode == 0, done.stderr[-3000:]
        assert sorted(site.asked) == list(range(80, 90))
    built = pd.read_parquet(out)
    assert len(built) == 90 and built.clip_id.is_unique
    ledger = pd.read_parquet(out / "_ledger")
    assert len(ledger[ledger.subject == "candidate"]) == 100
    assert (ledger[(ledger.subject == "candidate") & (ledger.status == "failed")].reason == "http_404").all()
    assert vidal_inline("validate", str(out)).returncode == 0
    again = vidal_inline("retry", str(out), "--class", "no_such")
    assert again.returncode == 2 and "must be transient" in again.stderr


class Instance:
    """A PeerTube whose search fails for one term until it is mended."""

    def __init__(self):
        self.is_mended, self.asked = False, []

    async def search(self, request):
        term = request.query["search"]
        self.asked.append(term)
        if term == "cat" and not self.is_mended:
            raise web.HTTPServiceUnavailable
        url = f"{request.scheme}://{request.host}/videos/watch/{term}"
        video = {"uuid": term, "name": f"A {term}", "duration": 3, "url": url}
        return web.json_response({"total": 1, "data": [video]})

    def app(self):
        app = web.Application()
        app.router.add_get("/api/v1/search/videos", self.search)
        return app


def test_a_search_that_failed_is_repeated_and_what_it_finds_joins_the_others(tmp_path):
    instance = Instance()
    (tmp_path / "terms.txt").write_text("cat\ndog\n")
    with serve(instance.app()) as url:
        recipe = {"extends": "embedded", "name": "tube", "terms": {"corpora": [{"source": "x", "path": str(tmp_path / "terms.txt")}]},
                  "search": [{"source": "peertube", "base_url": url}], "crawl": {"attempts": 1}}  # fmt: skip
        (tmp_path / "tube.yaml").write_text(yaml.safe_dump(recipe))
        loaded = load_recipe(str(tmp_path / "tube.yaml"))
        storage, runtime = Storage(str(tmp_path / "out")), Runtime(str(tmp_path / "out"), "run", ("127.0.0.1",))
        (part,) = discover.discover(loaded, runtime, 0)
        before = discover.state(storage, 0)
        assert [row["reason"] for row in discover.outcomes(storage, part)] == ["http_5xx"]
        instance.asked.clear()
        assert retry.move(storage, loaded, 0, "http_404") == 0 and not discover.is_asked_again(storage, 0)
        assert retry.move(storage, loaded, 0, "transient") == 1 and discover.is_asked_again(storage, 0)
        assert discover.search_again(loaded, runtime, 0) == [part]  # It fails as before.
        assert [row["reason"] for row in discover.outcomes(storage, part)] == ["http_5xx"]
        assert discover.state(storage, 0) == before
        instance.is_mended = True
        assert retry.move(storage, loaded, 0, "http_5xx") == 1
        assert discover.search_again(loaded, runtime, 0) == [part, Part(0, 1)]
    assert set(instance.asked) == {"cat"}
    assert discover.outcomes(storage, part) == [] and discover.state(storage, 0) != before
    found = [discover.candidates(storage, each).to_pylist() for each in (part, Part(0, 1))]
    assert [[row["source_id"] for row in rows] for rows in found] == [["dog"], ["cat"]]


def test_searches_of_two_classes_are_marked_together():
    storage = Storage("memory://two-classes")
    discover.ask_again(storage, 0, {"b"})
    discover.ask_again(storage, 0, {"a"})
    discover.ask_again(storage, 0, set())
    assert json.loads(storage.read(layout.asked_again(0))) == ["a", "b"]


def test_a_retry_with_another_value_of_the_recipe_keeps_the_others_as_they_are(tmp_path, serve_folder):
    """A key that says only how files are read; the build had a limit that the longer clip exceeded."""
    (tmp_path / "site").mkdir()
    for number in range(2):
        write_video(tmp_path / "site" / f"{number}.mp4", frames=24 + 96 * number)
    base = serve_folder(tmp_path / "site")
    listed, out = tmp_path / "clips.csv", tmp_path / "out"
    listed.write_text("url,title\n" + "".join(f"{base}/{number}.mp4,A gray wall {number}\n" for number in range(2)))
    options = sets(*LIGHT, "filters.similarity_min=null", "duplicates.near=false", "decoding.packets_max=100")
    done = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(listed), "--allow-host", "127.0.0.1",
                        "--out", str(out), *options)  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    before = pd.read_parquet(out)
    assert before.url.tolist() == [f"{base}/0.mp4"]
    known = ("retry", str(out), "--class", "too_costly", "--allow-host", "127.0.0.1")
    assert vidal_inline(*known).returncode == 0 and len(pd.read_parquet(out)) == 1
    done = vidal_inline(*known, "--set", "decoding.packets_max=1000")
    assert done.returncode == 0, done.stderr[-3000:]
    after = pd.read_parquet(out)
    assert sorted(after.url) == [f"{base}/0.mp4", f"{base}/1.mp4"]
    assert after[after.url == f"{base}/0.mp4"].retrieved_at.tolist() == before.retrieved_at.tolist()
