"""What a page states besides its title: subtitles, chapters, channel, categories and counts, as far as the clip's row."""

import json

import pandas as pd
import pytest
from aiohttp import web
from yt_dlp.extractor.common import InfoExtractor

from tests.conftest import LIGHT, sets, write_video
from tests.support.builds import FAST, crawl_list
from tests.support.inline import vidal_inline
from tests.support.platform_site import registered
from vidal.sources.embedded.site import serve

PEOPLE = "WEBVTT\n\n00:00.000 --> 00:00.900\nA dog runs.\n\n00:01.200 --> 00:01.900\n<b>It</b> stops.\n"
MACHINE = "1\n00:00:00,000 --> 00:00:01,000\na dog rungs\n"
CHAPTERS = [
    {"start_time": 0.0, "end_time": 1.0, "title": "Running"},
    {"start_time": 1.0, "end_time": 2.0, "title": "Resting"},
]
STATED = {"title": "A dog", "upload_date": "20260102", "channel": "Dogs daily", "categories": ["Pets", "Sport"], "chapters": CHAPTERS,
          "view_count": 1234, "like_count": 56, "comment_count": 7}  # fmt: skip


class VidalPageIE(InfoExtractor):
    _VALID_URL = r"http://127\.0\.0\.1:\d+/page/(?P<id>[\w-]+)"

    def _real_extract(self, url):
        page = self._download_json(url, self._match_id(url))
        subtitles = self.extract_subtitles(page)
        return {"id": self._match_id(url), "ext": "mp4", **page, "subtitles": subtitles}

    def _get_subtitles(self, page):
        return page.get("subtitles")


class Site:
    """pages: by name, what the page answers with. files: by name, a body and its status."""

    def __init__(self, media):
        self.media, self.pages, self.asked = media, {}, []
        self.files = {
            "people.vtt": (PEOPLE, 200),
            "machine.srt": (MACHINE, 200),
            "gone.vtt": ("", 404),
            "shy.vtt": ("", 503),
        }

    async def page(self, request):
        base = f"http://{request.host}"
        page = json.loads(json.dumps(self.pages[request.match_info["id"]]).replace("BASE", base))
        return web.json_response({"url": f"{base}/{request.match_info['id']}.mp4", **page})

    async def file(self, request):
        name = request.match_info["name"]
        self.asked.append(name)
        if name.endswith(".mp4"):
            return web.FileResponse(self.media)
        body, status = self.files.get(name, ("", 404))
        return web.Response(text=body, status=status)

    def subtitles(self):
        return [name for name in self.asked if name.endswith((".vtt", ".srt"))]


@pytest.fixture
def site(tmp_path):
    site, app = Site(write_video(tmp_path / "v.mp4")), web.Application()
    app.router.add_get("/page/{id}", site.page)
    app.router.add_get("/{name}", site.file)
    with serve(app) as site.url, registered(VidalPageIE):
        yield site


def tracks(*names):
    return [{"url": f"BASE/{name}", "ext": name.rpartition(".")[2]} for name in names]


def extra_of(crawled, url):
    return dict(crawled.clips[url]["extra"])


def test_what_a_page_states_and_what_people_wrote_is_in_the_row_of_its_clip(site, tmp_path):
    site.pages["a"] = {
        **STATED,
        "subtitles": {"en": tracks("people.vtt")},
        "automatic_captions": {"en": tracks("machine.srt")},
    }
    site.pages["b"] = {
        "title": "Another",
        "automatic_captions": {"de": tracks("gone.vtt"), "en-US": tracks("machine.srt")},
    }
    site.pages["c"] = {"title": "A third", "subtitles": {"fr": tracks("people.vtt")}}
    listed, out = tmp_path / "list.txt", tmp_path / "out"
    listed.write_text("".join(f"{site.url}/page/{name}\n" for name in "abc"))
    settings = (
        *FAST,
        *LIGHT,
        "crawl.subtitles=[en]",
        "filters.similarity_min=-1",
        "duplicates={exact: false, near: false}",
    )
    built = vidal_inline("build-shard", "0", "--recipe", "catalogue", "--catalogue", str(listed), "--out", str(out),
                         "--allow-host", "127.0.0.1", *sets(*settings))  # fmt: skip
    assert built.returncode == 0, built.stderr
    rows = {row.title: row for row in pd.read_parquet(out).itertuples()}
    extra = json.loads(rows["A dog"].extra)
    assert extra["categories"] == ["Pets", "Sport"] and extra["chapters"] == CHAPTERS
    assert [extra[key] for key in ("upload_date", "channel", "view_count", "like_count", "comment_count", "subtitle_language")] == [
        "20260102", "Dogs daily", "1234", "56", "7", "en"]  # fmt: skip
    assert not {"subtitle", "subtitle_cues", "subtitle_automatic"} & extra.keys()
    subtitles = {
        title: [(each["text"], list(each["flags"])) for each in row.captions if each["view"] == "subtitle"]
        for title, row in rows.items()
    }
    assert subtitles == {
        "A dog": [("A dog runs. It stops.", ["human"])],
        "Another": [("a dog rungs", ["automatic"])],
        "A third": [],
    }
    assert sorted(site.subtitles()) == ["machine.srt", "people.vtt"]


def test_no_subtitles_are_asked_for_unless_the_recipe_names_a_language(site, tmp_path):
    site.pages["a"] = {
        **STATED,
        "automatic_captions": {"en": tracks("machine.srt")},
        "subtitles": {"en": tracks("people.vtt")},
    }
    url = f"{site.url}/page/a"
    crawled = crawl_list(tmp_path, [url])
    assert crawled.reason(url) == "kept" and not site.subtitles()
    assert not [key for key in extra_of(crawled, url) if key.startswith("subtitle")]


def test_a_span_gets_the_words_that_are_said_in_it(site, tmp_path):
    site.pages["a"] = {**STATED, "subtitles": {"en": tracks("people.vtt")}}
    row = {"url": f"{site.url}/page/a", "title": "A dog", "clips": [[0.0, 1.0], [1.0, 2.0]]}
    (tmp_path / "list.jsonl").write_text(json.dumps(row) + "\n")
    crawled = crawl_list(tmp_path, [], "crawl.subtitles=[en]")
    assert crawled.finished.returncode == 0, crawled.finished.stderr
    spans = pd.concat(
        pd.read_parquet(path) for path in (tmp_path / "out/_stages/crawl/shard-00000").glob("part-*[0-9].parquet")
    )
    assert {row.start_s: dict(row.extra)["subtitle"] for row in spans.itertuples()} == {
        0.0: "A dog runs.",
        1.0: "It stops.",
    }
    assert site.subtitles() == ["people.vtt"]


@pytest.mark.parametrize(
    ("track", "why"),
    [("gone.vtt", "http_404"), ("shy.vtt", "connection"), ("huge.vtt", "too_large"), ("file:///etc/passwd.vtt", "forbidden_scheme"),
     ("http://10.0.0.1/a.vtt", "forbidden_address")],
)  # fmt: skip
def test_subtitles_that_cannot_be_had_cost_no_clip(site, tmp_path, track, why):
    site.files["huge.vtt"] = ("x" * (2**22 + 1), 200)
    address = track if "://" in track else f"BASE/{track}"
    site.pages["a"] = {**STATED, "subtitles": {"en": [{"url": address, "ext": "vtt"}]}}
    url = f"{site.url}/page/a"
    crawled = crawl_list(tmp_path, [url], "crawl.subtitles=[en]")
    assert crawled.reason(url) == "kept"
    assert extra_of(crawled, url)["subtitle_error"].startswith(why)


def test_the_best_track_is_chosen(site, tmp_path):
    site.pages["a"] = {"title": "A", "subtitles": {"de-DE": tracks("people.vtt"), "live_chat": [{"url": "BASE/x", "ext": "json"}]},
                       "automatic_captions": {"en": tracks("gone.vtt"), "en-orig": tracks("x.ttml", "machine.srt")}}  # fmt: skip
    url = f"{site.url}/page/a"
    crawled = crawl_list(tmp_path, [url], "crawl.subtitles=[en, de]")
    assert (
        extra_of(crawled, url)["subtitle_language"] == "de-DE"
    )  # What people wrote comes first, whatever the language.
    (tmp_path / "again").mkdir()
    crawled = crawl_list(tmp_path / "again", [url], "crawl.subtitles=[en]")
    assert extra_of(crawled, url)["subtitle"] == "a dog rungs"


def test_what_a_page_states_in_other_forms_is_left_out(site, tmp_path):
    chapters = [{"start_time": 0, "end_time": 1e400, "title": "x"}]
    site.pages["a"] = {
        "title": "A",
        "categories": [1, {"a": 2}, "Pets"],
        "chapters": chapters,
        "view_count": {"many": 1},
    }
    url = f"{site.url}/page/a"
    crawled = crawl_list(tmp_path, [url])
    assert crawled.reason(url) == "kept"
    assert json.loads(extra_of(crawled, url)["categories"]) == ["Pets"]
