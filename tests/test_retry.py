"""Show: a list of 100 addresses of which 20 are bad, and a retry after ten of them were mended."""

import pandas as pd
import pytest
from aiohttp import web

from tests.conftest import vidal
from vidal.sources.embedded.media import build
from vidal.sources.embedded.site import serve


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


@pytest.mark.timeout(600)
def test_twenty_bad_of_a_hundred_are_in_the_ledger_and_a_retry_adds_those_that_were_mended(tmp_path):
    site = Site(build() / "dog-sound.mp3")
    with serve(site.app()) as url:
        rows = [{"url": f"{url}/{n}.mp3", "title": f"A dog barks, take {n}"} for n in range(100)]
        pd.DataFrame(rows).to_csv(tmp_path / "clips.csv", index=False)
        out = tmp_path / "out"
        settings = ("crawl.requests_per_s=500", "crawl.burst=100", "crawl.attempts=1", "crawl.breaker_failures=1000",
                    "duplicates={exact: false, near: false}", "enhanced.model=null", "similarity.min=-1",
                    "engine.part_size=50")  # fmt: skip
        done = vidal("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(tmp_path / "clips.csv"), "--out", str(out),
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
    assert vidal("validate", str(out)).returncode == 0
    again = vidal("retry", str(out), "--class", "no_such")
    assert again.returncode == 2 and "must be transient" in again.stderr
