"""The sources' real clients against servers on loopback that answer in the real formats."""

import pytest
from aiohttp import web

from tests.support.listed import listed, read_list
from vidal.config.loading import load_recipe
from vidal.errors import RecordError, UserError
from vidal.net.settings import Crawl
from vidal.pipeline.stage import Runtime
from vidal.schema import Reason
from vidal.sources import candidate_policy, licences
from vidal.sources.embedded.media import build_media
from vidal.sources.embedded.site import serve
from vidal.sources.freesound import FreesoundSearch, read_token
from vidal.sources.searches import parse_search
from vidal.sources.session import Network
from vidal.sources.ytdlp import YtDlp, YtDlpSearch

SOUND = {
    "id": 321, "name": "Dog bark #loud", "tags": ["dog", "Bark"], "description": "A dog.", "username": "ann", "type": "wav",
    "license": "http://creativecommons.org/publicdomain/zero/1.0/", "duration": 3.2, "avg_rating": 4.2, "num_ratings": 9,
    "num_downloads": 120, "num_comments": 3, "url": "https://freesound.org/people/ann/sounds/321/",
}  # fmt: skip


@pytest.fixture
def site():
    media = build_media()
    asked = []

    async def freesound(request):
        asked.append(request)
        if request.headers.get("Authorization") != "Token secret":
            return web.json_response({"detail": "Invalid token."}, status=401)
        page = int(request.query["page"])
        sound = {**SOUND, "id": 320 + page, "previews": {"preview-hq-mp3": f"{_base(request)}/dog.mp3"}}
        return web.json_response(
            {"count": 2, "next": "more" if page < 2 else None, "previous": None, "results": [sound]}
        )

    def video(request):
        return {"uuid": "9c9de5e8", "name": "A cat runs", "duration": 3, "url": f"{_base(request)}/videos/watch/9c9de5e8",
                "account": {"name": "bob", "host": "tube.example"}, "licence": {"id": 1, "label": "Attribution"},
                "views": 7}  # fmt: skip

    async def peertube_search(request):
        asked.append(request)
        return web.json_response({"total": 1, "data": [video(request)]})

    async def peertube_video(request):
        files = [{"fileUrl": f"{_base(request)}/{name}.mp4", "resolution": {"id": lines}, "size": lines}
                 for name, lines in (("cat", 480), ("big", 1080), ("small", 240))]  # fmt: skip
        full = {**video(request), "tags": ["Cat", "run"], "files": [], "streamingPlaylists": [{"files": files}]}
        return web.json_response(full)

    async def archive_search(request):
        asked.append(request)
        item = {"identifier": "a-cat", "title": "A cat", "mediatype": "movies", "subject": ["cat", "Pets"], "creator": "cy",
                "licenseurl": "https://creativecommons.org/licenses/by/4.0/"}  # fmt: skip
        return web.json_response({"response": {"numFound": 1, "start": 0, "docs": [item]}})

    async def archive_item(request):
        files = [{"name": "a cat.mp4", "size": "900", "length": "0:03"}, {"name": "long.mp4", "size": "5", "length": "3:00"},
                 {"name": "cat.txt", "size": "1"}]  # fmt: skip
        return web.json_response({"metadata": {"identifier": "a-cat", "title": "A cat"}, "files": files})

    async def file(request):
        name = "dog-sound.mp3" if request.path.endswith("mp3") else "cat.mp4"
        return web.FileResponse(media / name)

    app = web.Application()
    app.router.add_get("/apiv2/search/text/", freesound)
    app.router.add_get("/api/v1/search/videos", peertube_search)
    app.router.add_get("/api/v1/videos/{id}", peertube_video)
    app.router.add_get("/advancedsearch.php", archive_search)
    app.router.add_get("/metadata/{id}", archive_item)
    app.router.add_get("/{name:.*}", file)
    with serve(app) as url:
        yield url, asked


def _base(request):
    return f"{request.scheme}://{request.host}"


def network(*overrides, **search):
    recipe = load_recipe("embedded", overrides).model_copy(update={"search": (parse_search(search),)})
    return Network(recipe, Runtime("memory://sources", "run", ("127.0.0.1",))), recipe.search[0]


def fetched(net, search, term, limit, folder):
    """Searched, described and fetched, as the pipeline does it."""
    candidates, _ = net.call(lambda sources: sources.for_search(search).search(term, limit))
    described, _ = net.call(lambda sources: sources.for_candidate(candidates[0]).describe(candidates[0]))
    fetched, _ = net.call(lambda sources: sources.for_candidate(described).fetch(described, folder))
    return candidates, described, fetched.path.read_bytes()


def test_freesound_is_searched_page_by_page_with_its_token(site, tmp_path, monkeypatch):
    monkeypatch.setenv("FREESOUND_TOKEN", "secret")
    url, asked = site
    sounds, described, data = fetched(*network(source="freesound", base_url=url), "dog", 2, tmp_path)
    assert [sound["source_id"] for sound in sounds] == ["321", "322"]
    assert asked[0].query["sort"] == "score" and asked[0].query["filter"] == "duration:[0 TO 20]"
    assert (described["title"], described["hashtags"], described["uploader"]) == (
        "Dog bark #loud",
        ["dog", "bark"],
        "ann",
    )
    assert described["extra"]["downloads"] == "120" and data == (build_media() / "dog-sound.mp3").read_bytes()
    monkeypatch.setenv("FREESOUND_TOKEN", "wrong")
    with pytest.raises(RecordError, match="http_401") as failed:
        fetched(*network(source="freesound", base_url=url), "dog", 2, tmp_path)
    assert "wrong" not in str(failed.value)


def test_searches_ask_for_videos_that_can_be_cut_but_for_no_longer_sounds(site, monkeypatch):
    monkeypatch.setenv("FREESOUND_TOKEN", "secret")
    url, asked = site
    for source in ("freesound", "peertube"):
        net, search = network("clips.detector=content", "clips.source_max_s=600", source=source, base_url=url)
        net.call(lambda sources, search=search: sources.for_search(search).search("dog", 1))
    assert asked[0].query["filter"] == "duration:[0 TO 20]" and asked[-1].query["durationMax"] == "600"


def test_a_missing_token_is_an_error_of_the_user(monkeypatch, tmp_path):
    monkeypatch.delenv("FREESOUND_TOKEN", raising=False)
    with pytest.raises(UserError, match="needs an API token: set FREESOUND_TOKEN"):
        read_token(None)
    with pytest.raises(UserError, match="no such file"):
        read_token("/no/such")
    (tmp_path / "token").write_text("\n")
    with pytest.raises(UserError, match="token: is empty: write your API token into it"):
        read_token(str(tmp_path / "token"))


def test_peertube_gives_the_smallest_file_that_is_large_enough(site, tmp_path):
    url, _ = site
    _, described, data = fetched(*network(source="peertube", base_url=url), "cat", 3, tmp_path)
    assert described["media_url"].endswith("/cat.mp4") and data == (build_media() / "cat.mp4").read_bytes()
    assert (described["title"], described["hashtags"], described["uploader"]) == (
        "A cat runs",
        ["cat", "run"],
        "bob@tube.example",
    )
    assert licences.to_spdx(described["licence"]) == "CC-BY"


def test_the_internet_archive_gives_the_smallest_file_that_is_short_enough(site, tmp_path):
    url, asked = site
    _, described, data = fetched(*network(source="archive", base_url=url), 'a "cat"', 3, tmp_path)
    assert asked[0].query["q"].count('"') == 2
    assert (
        described["media_url"].endswith("/download/a-cat/a%20cat.mp4")
        and data == (build_media() / "cat.mp4").read_bytes()
    )
    assert (described["duration_s"], described["hashtags"]) == (3.0, ["cat", "pets"])


@pytest.mark.parametrize(
    ("settings", "reason"),
    [({"rating_min": 4.5}, Reason.LOW_RATING), ({"downloads_min": 500}, Reason.FEW_DOWNLOADS),
     ({"comments_min": 9}, Reason.FEW_COMMENTS), ({"tags_min": 5}, Reason.FEW_TAGS), ({"rating_min": 4.0}, None)],
)  # fmt: skip
def test_results_are_judged_by_what_they_state(settings, reason):
    stated = {"rating": "4.2", "downloads": "120", "comments": "3", "tags": "2"}
    drop = candidate_policy.judge_result(
        {"extra": stated, "duration_s": 3.0}, FreesoundSearch(**settings), load_recipe("embedded")
    )
    assert (drop and drop.reason) == reason


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("https://creativecommons.org/licenses/by-nc/3.0/", "CC-BY-NC-3.0"),
        ("Creative Commons Attribution license (reuse allowed)", "CC-BY-3.0"),
        ("Attribution - Non Commercial", "CC-BY-NC"),
        ("CC BY-SA 4.0", "CC-BY-SA-4.0"),
        ("MIT", "MIT"),
    ],
)
def test_licences_get_the_names_of_spdx(raw, name):
    assert licences.to_spdx(raw) == name


def test_licences_and_uploaders_are_chosen_by_the_recipe():
    crawl = Crawl(licences=("CC0*", "cc-by-4.0"), licence_unknown=False, block_uploaders=("Bob",))
    assert candidate_policy.judge_owner({"licence": "CC0"}, crawl) is None
    assert candidate_policy.judge_owner({"licence": "CC BY-NC 4.0"}, crawl).reason is Reason.LICENCE
    assert candidate_policy.judge_owner({"licence": None}, crawl).reason is Reason.LICENCE
    assert candidate_policy.judge_owner({"licence": "CC0", "uploader": "bob"}, crawl).reason is Reason.BLOCKED_UPLOADER


def test_shorts_are_asked_of_an_address_that_yt_dlp_claims():
    from yt_dlp.extractor.youtube import YoutubeSearchURLIE

    asked = []
    source = YtDlp(None, YtDlpSearch(shorts=True), 20.0)
    source._extract = lambda address, items: asked.append((address, items)) or {"entries": []}
    source.search("a cat & a dog", 7)
    assert YoutubeSearchURLIE.suitable(asked[0][0]) and asked[0][1] == 7 and "a+cat+%26+a+dog" in asked[0][0]


def test_the_layout_of_video2dataset_is_read_unchanged(tmp_path):
    import pandas as pd

    frame = pd.DataFrame({"url": ["http://a/1.mp4", "http://a/2.mp4"], "caption": ["A cat", "A dog"], "split": ["x", "y"],
                          "clips": [[["00:00:01.500", "00:00:03.000"], ["0:04", "0:05"]], [["2", "4.0"]]]})  # fmt: skip
    frame.to_parquet(tmp_path / "c.parquet")
    frame.to_json(tmp_path / "c.jsonl", orient="records", lines=True)
    for name in ("c.parquet", "c.jsonl"):
        rows = listed(tmp_path / name)
        assert [(row["url"], row["start_s"], row["end_s"]) for row in rows] == [
            ("http://a/1.mp4", 1.5, 3.0), ("http://a/1.mp4", 4.0, 5.0), ("http://a/2.mp4", 2.0, 4.0)]  # fmt: skip
        assert rows[0]["extra"] == {"split": "x"} and rows[0]["title"] == "A cat"


def test_other_names_of_columns_and_lists_of_ids_are_read(tmp_path):
    (tmp_path / "c.csv").write_text("link,words\nhttp://a/1.mp4,A cat\n")
    (row,) = listed(tmp_path / "c.csv", {"url": "link", "title": "words"})
    assert (row["url"], row["title"]) == ("http://a/1.mp4", "A cat")
    with pytest.raises(UserError, match=r"columns\.url names 'nope', but the columns are link, words"):
        listed(tmp_path / "c.csv", {"url": "nope"})
    (tmp_path / "ids.txt").write_text("--GkrdYZ9Tc\nhttp://a/2.mp4\n")
    urls = [row["url"] for row in listed(tmp_path / "ids.txt")]
    assert urls == ["https://www.youtube.com/watch?v=--GkrdYZ9Tc", "http://a/2.mp4"]
    (tmp_path / "bad.csv").write_text('url,clips\nhttp://a,"[[1]]"\n')
    assert [(row.where[-5:], row.why) for row in read_list(tmp_path / "bad.csv")[1]] == [
        ("row 1", "a span must be [start, end] in seconds or as 00:00:01.500, not '[1]'")
    ]
