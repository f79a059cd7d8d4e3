"""What sites state never stops a build: it is made to fit the columns, or costs its own record."""

import json
import math

import pytest
from aiohttp import web

from tests.conftest import write_video
from tests.support.builds import crawl_list
from vidal import schema
from vidal.config.loading import load_recipe
from vidal.errors import RecordError
from vidal.pipeline.stage import Runtime
from vidal.sources.embedded.site import serve
from vidal.sources.fit import fit
from vidal.sources.session import Network

VALUES = [
    "\ud800 cat",
    "cat \udfff",
    "\x00",
    "x" * 300_000,
    7,
    10**400,
    math.nan,
    math.inf,
    -1.5,
    True,
    None,
    {"a": 1},
    ["\ud800"],
    [[1]],
    b"bytes",
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_any_value_in_any_column_fits_it(value):
    columns = [
        name for name in schema.CANDIDATES.names if name not in ("candidate_id", "shard", "curated", "source", "extra")
    ]
    row = fit(
        {"candidate_id": "c", "shard": 0, "curated": True, "extra": {"k": value}, **dict.fromkeys(columns, value)}
    )
    stored = schema.table([row], schema.CANDIDATES).to_pylist()[0]
    assert stored["duration_s"] is None or 0 <= stored["duration_s"] < math.inf
    assert not stored["title"] or len(stored["title"]) <= 100_000


def page(linked):
    script = json.dumps(linked)
    return f'<!doctype html><html><head><title>t</title><script type="application/ld+json">{script}</script></head><body></body></html>'


def linked(**more):
    return {"@context": "https://schema.org", "@type": "VideoObject", "name": "A cat", **more}


@pytest.fixture
def site(tmp_path):
    """Pages whose JSON-LD states what does not fit."""
    video = write_video(tmp_path / "v.mp4").read_bytes()
    pages = {
        "surrogate": linked(name="\ud800 cat", description="\udc00 #cat\ud800"),
        "infinite": linked(duration=math.inf, interactionCount=10**400),
        "number": linked(name=10**50, duration=math.nan),
        "objects": linked(name={"a": 1}, uploader=["x"], keywords={"b": 2}),
        "good": linked(),
    }

    async def get(request):
        name = request.path.strip("/")
        if name == "v.mp4":
            return web.Response(body=video, content_type="video/mp4")
        if name not in pages:
            raise web.HTTPNotFound
        return web.Response(
            text=page({**pages[name], "contentUrl": f"http://{request.host}/v.mp4"}), content_type="text/html"
        )

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    with serve(app) as url:
        yield url, list(pages)


def test_pages_that_state_what_does_not_fit_cost_no_other_record(site, tmp_path):
    """C2."""
    url, names = site
    urls = [*(f"{url}/{name}" for name in names), f"{url}/\ud800.mp4", "http://\ud800.example/x.mp4"]
    crawled = crawl_list(tmp_path, urls, "crawl.attempts=1", title="")
    assert crawled.finished.returncode == 0, crawled.finished.stderr[-2000:]
    assert crawled.reason(f"{url}/good") == "kept"
    assert crawled.clips[f"{url}/surrogate"]["title"] == "\ufffd cat"
    assert not [row for row in crawled.outcomes.values() if row["reason"] in ("quarantined", "unstorable")]


ANSWERS = [
    "[]",
    "{}",
    '{"data": 7}',
    '{"data": [7]}',
    '{"data": [{}], "total": "many"}',
    '{"data": [{"uuid": null, "url": {}}], "total": 1}',
    '{"data": [{"uuid": "u", "url": "http://x/\\ud800", "name": "\\ud800", "duration": NaN}], "total": 1}',
    "[" * 100_000,
    "9" * 10_000,
    '{"data": [{"uuid": "u", "url": "http://x/", "name": ["a"], "duration": Infinity, "tags": [1, {}]}], "total": 1e400}',
    '{"data": [{"uuid": "u", "url": "http://x/", "account": {"name": {}}, "licence": 7}], "total": 1}',
]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
def test_an_api_that_answers_nonsense_costs_its_query_alone(answer):
    async def get(request):
        return web.Response(text=answer, content_type="application/json")

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    with serve(app) as url:
        recipe = load_recipe("vidal10m", (f"search=[{{source: peertube, base_url: '{url}'}}]", "crawl.attempts=1"))
        network = Network(recipe, Runtime("memory://fit", "run", ("127.0.0.1",)))
        try:
            results, _ = network.call(lambda sources: sources.for_search(recipe.search[0]).search("cat", 5))
            schema.table([fit(result) for result in results], schema.CANDIDATES)
        except RecordError as error:
            assert error.reason.value == "extractor"
