"""What owners say is obeyed, whichever way an address is reached: by a catalogue, a redirect, a page, or a playlist."""

import asyncio
import json
import subprocess
from collections import Counter

import pytest
from aiohttp import web

from tests.conftest import sets, write_video
from tests.support.builds import crawl_list
from tests.support.inline import vidal_inline
from tests.support.platform_site import Platform, serve_platform
from vidal.errors import RecordError
from vidal.media import ffmpeg
from vidal.net.opt_outs import check_page, opts_out
from vidal.sources.embedded.site import serve

VALUES = ("noai", "noimageai", "none")


@pytest.mark.parametrize(
    "value",
    [
        "noai",
        "NOAI",
        " noai ",
        "noimageai",
        "none",
        "noindex, noai",
        "max-image-preview: large, noai",
        "max-image-preview:large,noai",
        "max-snippet: 50, max-image-preview: large, none",
        "noindex;noai",
        "noindex noai",
        "noindex|noai",
        "noindex\tnoai",
        "noai,",
        ",,noai",
        "vidal: noai",
        "Vidal : noindex, noai",
        "vidal/1.0: noai",
        "*: noai",
        "all: noai",
        "otherbot: noindex, vidal: noai",
        "otherbot: noai; vidal: noimageai",
        "unavailable_after: Mon, 25 Jun 2040 15:00:00 GMT, noai",
        "unavailable_after: 2040-06-25T15:00:00Z; noai",
        '"noai"',
        "noindex / noai",
        "max-snippet: -1 noai",
        "noai: true",
        "noai=1",
    ],
)
def test_directives_that_opt_out(value):
    """C7."""
    assert opts_out(value, VALUES, "vidal")


@pytest.mark.parametrize(
    "value",
    [
        "",
        "noindex",
        "otherbot: noai",
        "otherbot: noindex, noai",
        "otherbot: max-image-preview: large, noai",
        "max-image-preview: none",
        "max-image-preview: none, noindex",
        "max-video-preview: -1",
        "all",
        "noarchive, nosnippet",
        "unavailable_after: none",
        "noaix",
        "no ai",
        "vidal: noindex, otherbot: noai",
        "index, follow",
    ],
)
def test_directives_that_do_not_concern_us(value):
    assert not opts_out(value, VALUES, "vidal")


@pytest.mark.parametrize(
    "tag",
    [
        '<meta name="robots" content="noai">',
        "<META NAME=robots CONTENT=noimageai>",
        "<meta content='none' name='robots'/>",
        '<meta name="vidal" content="noindex, noai">',
        '<meta\n name = "robots"\n content = "index,noai"\n>',
        '<meta name="tdm-reservation" content="1">',
        '<meta http-equiv="X-Robots-Tag" content="noai">',
        '<meta name="robots" content="&#110;oai">',
        "<!-- a comment --><meta name=robots content=noai>",
    ],
)
def test_meta_tags_that_opt_out(tag):
    with pytest.raises(RecordError, match="opted_out"):
        check_page(f"<html><head>{tag}</head></html>", VALUES, "vidal")


@pytest.mark.parametrize(
    "tag",
    [
        '<!-- <meta name="robots" content="noai"> -->',
        '<meta name="otherbot" content="noai">',
        '<meta name="description" content="noai">',
        '<meta name="tdm-reservation" content="0">',
        '<meta name="robots" content="index">',
        "<!-- <meta name=robots content=noai>",
    ],
)
def test_meta_tags_that_do_not_concern_us(tag):
    check_page(f"<html><head>{tag}</head></html>", VALUES, "vidal")


@pytest.mark.parametrize(
    "page",
    ["<meta " * 200_000, "<!--" * 300_000, "<meta a" + "a" * 10**6, "<meta " + "a= " * 10**5, "<meta x='" * 10**5],
)
def test_a_hostile_page_is_read_in_linear_time(page):
    import time

    started = time.process_time()
    check_page(page, VALUES, "vidal")
    assert time.process_time() - started < 2.0


@pytest.fixture
def site(tmp_path):
    """A site that forbids /secret/ in robots.txt. files: by path, (body, type, headers)."""
    folder = tmp_path / "media"
    folder.mkdir()
    video = write_video(folder / "v.mp4")
    command = [
        ffmpeg.executable(),
        "-v",
        "error",
        "-i",
        video,
        "-c",
        "copy",
        "-f",
        "hls",
        "-hls_time",
        "1",
        "-hls_playlist_type",
        "vod",
    ]
    subprocess.run([*command, "v.m3u8"], check=True, cwd=folder)
    data, playlist = video.read_bytes(), (folder / "v.m3u8").read_text()
    files = {
        "/robots.txt": (b"User-agent: *\nDisallow: /secret/\n", "text/plain", {}),
        "/clip.mp4": (data, "video/mp4", {}),
        "/secret/clip.mp4": (data, "video/mp4", {}),
    }
    for segment in folder.glob("*.ts"):
        files[f"/secret/{segment.name}"] = (segment.read_bytes(), "video/mp2t", {})
    files["/list.m3u8"] = (
        playlist.replace("v0", "secret/v0").replace("v1", "secret/v1").encode(),
        "application/vnd.apple.mpegurl",
        {},
    )
    asked, agents = [], []

    async def get(request):
        asked.append(request.path)
        agents.append(request.headers.get("User-Agent"))
        if request.path.startswith("/to/"):
            raise web.HTTPFound("/" + request.path.removeprefix("/to/"))
        if request.path not in files:
            raise web.HTTPNotFound
        body, type_, headers = files[request.path]
        return web.Response(body=body, content_type=type_, headers=headers)

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    with serve(app) as url:
        yield url, files, asked, agents


def page(source, head=""):
    html = f"<!doctype html><html><head><title>A cat</title>{head}</head><body><video src='{source}'></video></body></html>"
    return html.encode(), "text/html", {}


def outcome(tmp_path, url, *settings):
    return crawl_list(tmp_path, [url], "crawl.attempts=1", *settings).reason(url)


@pytest.mark.parametrize(
    "path", ["/secret/clip.mp4", "/to/secret/clip.mp4", "/page.html", "/list.m3u8", "/to/to/secret/clip.mp4"]
)
def test_robots_txt_holds_for_redirects_media_of_pages_and_segments(site, tmp_path, path):
    """C7."""
    url, files, asked, _ = site
    files["/page.html"] = page("/secret/clip.mp4")
    assert outcome(tmp_path, url + path) == "robots"
    assert not [each for each in asked if each.startswith("/secret/")]


@pytest.mark.parametrize(("status", "often", "reason"), [(200, 1, ("kept",)), (503, 2, ("robots", "breaker_open"))])
def test_eight_threads_that_meet_a_site_at_once_ask_for_its_rules_one_after_another(tmp_path, status, often, reason):
    """Once, if it answers. If it does not, until it is left alone as a host that fails."""
    video, asked, open_ = write_video(tmp_path / "v.mp4").read_bytes(), Counter(), Counter()

    async def get(request):
        name = request.path.rpartition("/")[2]
        if name.endswith(".mp4"):
            return web.Response(body=video, content_type="video/mp4")
        asked[name] += 1
        open_["now"] += 1
        open_["most"] = max(open_["most"], open_["now"])
        await asyncio.sleep(0.5)
        open_["now"] -= 1
        return web.Response(text="", status=status)

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    settings = (
        "crawl.concurrency=8",
        "crawl.host_concurrency=8",
        "crawl.attempts=1",
        "crawl.breaker_failures=2",
        "crawl.patience_s=0",
    )
    with serve(app) as base:
        urls = [f"{base}/{number}.mp4" for number in range(8)]
        crawled = crawl_list(tmp_path, urls, *settings, "duplicates.exact=false")
    assert asked["robots.txt"] == often and open_["most"] == 1
    assert crawled.reason(urls[0]) in reason


def test_without_robots_txt_all_of_them_are_kept(site, tmp_path):
    url, files, _, agents = site
    del files["/robots.txt"]
    files["/page.html"] = page("/secret/clip.mp4")
    urls = [f"{url}/to/secret/clip.mp4", f"{url}/page.html", f"{url}/list.m3u8"]
    crawled = crawl_list(tmp_path, urls, "crawl.attempts=1")
    assert [crawled.reason(each) for each in urls] == ["kept"] * 3
    assert {agent.partition("/")[0] for agent in agents} == {"vidal"}


@pytest.mark.parametrize(
    "header", [("X-Robots-Tag", "max-image-preview: large, noai"), ("TDM-Reservation", "1"), ("X-Robots-Tag", "none")]
)
@pytest.mark.parametrize("where", ["file", "page", "medium", "segment", "redirect"])
def test_headers_opt_out_wherever_they_stand(site, tmp_path, header, where):
    url, files, _, _ = site
    del files["/robots.txt"]
    files["/page.html"] = page("/clip.mp4")
    name, path = {
        "file": ("/clip.mp4", "/clip.mp4"),
        "page": ("/page.html", "/page.html"),
        "medium": ("/clip.mp4", "/page.html"),
        "segment": ("/secret/v1.ts", "/list.m3u8"),
        "redirect": ("/clip.mp4", "/to/clip.mp4"),
    }[where]
    body, type_, _ = files[name]
    files[name] = (body, type_, dict([header]))
    assert outcome(tmp_path, url + path) == "opted_out"


def test_a_header_of_a_missing_page_changes_nothing(site, tmp_path):
    url, _, _, _ = site
    assert outcome(tmp_path, f"{url}/missing.mp4") == "http_404"


def test_of_several_headers_each_is_read_alone(tmp_path):
    data = write_video(tmp_path / "v.mp4").read_bytes()

    async def get(request):
        if request.path != "/clip.mp4":
            raise web.HTTPNotFound
        response = web.Response(body=data, content_type="video/mp4")
        response.headers.add("X-Robots-Tag", "otherbot: noindex")
        response.headers.add("X-Robots-Tag", "noai")
        return response

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    with serve(app) as url:
        assert outcome(tmp_path, f"{url}/clip.mp4") == "opted_out"


@pytest.mark.parametrize(
    "tag", ['<meta name="robots" content="noindex, noai">', '<meta name="tdm-reservation" content="1">']
)
def test_a_page_that_opts_out_in_its_head_is_not_used(site, tmp_path, tag):
    url, files, asked, _ = site
    files["/page.html"] = page("/clip.mp4", tag)
    assert outcome(tmp_path, f"{url}/page.html") == "opted_out"
    assert "/clip.mp4" not in asked


TDM = [{"location": "/free/*", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]


@pytest.mark.parametrize(
    ("name", "body", "reason"),
    [
        ("/.well-known/tdmrep.json", json.dumps(TDM), "opted_out"),
        (
            "/.well-known/tdmrep.json",
            json.dumps([{"location": "/clip*", "tdm-reservation": 1, "tdm-policy": "p"}]),
            "opted_out",
        ),
        ("/.well-known/tdmrep.json", json.dumps([{"location": "/other/", "tdm-reservation": 1}]), "kept"),
        ("/.well-known/tdmrep.json", json.dumps([{"location": "/", "tdm-reservation": 0}]), "kept"),
        pytest.param("/.well-known/tdmrep.json", "{[" * 100_000, "kept", id="nested"),
        ("/.well-known/tdmrep.json", '"words"', "kept"),
        ("/ai.txt", "User-Agent: *\nDisallow: *.mp4\n", "opted_out"),
        ("/ai.txt", "User-Agent: *\nDisallow: /\n", "opted_out"),
        ("/ai.txt", "# Spawning AI\nUser-Agent: *\nDisallow: *.jpg\nAllow: *.mp4\n", "kept"),
        ("/ai.txt", "User-Agent: otherbot\nDisallow: /\n", "kept"),
        ("/ai.txt", "<!doctype html><html><title>No such page</title></html>", "kept"),
    ],
)
def test_ai_txt_and_tdmrep_json_are_obeyed(site, tmp_path, name, body, reason):
    url, files, _, _ = site
    files[name] = (body.encode(), "text/plain", {})
    assert outcome(tmp_path, f"{url}/clip.mp4") == reason


def test_they_hold_behind_a_redirect_from_another_host(site, tmp_path):
    url, files, asked, _ = site
    files["/ai.txt"] = (b"User-agent: *\nDisallow: /clip.mp4\n", "text/plain", {})

    async def away(request):
        if request.path != "/x.mp4":
            raise web.HTTPNotFound
        raise web.HTTPFound(f"{url}/clip.mp4")

    app = web.Application()
    app.router.add_get("/{name:.*}", away)
    with serve(app) as other:
        assert outcome(tmp_path, f"{other}/x.mp4") == "opted_out"
    assert "/clip.mp4" not in asked


def test_an_empty_list_of_values_obeys_robots_txt_alone(site, tmp_path):
    url, files, asked, _ = site
    body, type_, _ = files["/clip.mp4"]
    files["/clip.mp4"] = (body, type_, {"X-Robots-Tag": "noai", "tdm-reservation": "1"})
    files["/ai.txt"] = (b"User-agent: *\nDisallow: /\n", "text/plain", {})
    urls = [f"{url}/clip.mp4", f"{url}/secret/clip.mp4"]
    crawled = crawl_list(tmp_path, urls, "crawl.opt_out=[]")
    assert [crawled.reason(each) for each in urls] == ["kept", "robots"]
    assert "/ai.txt" not in asked


@pytest.mark.parametrize(
    ("settings", "outcomes", "said"),
    [
        ((), {"plain": "robots", "source": "kept"}, "obeyed for plain addresses; not consulted for sources"),
        (
            ("crawl.robots_for_sources=true",),
            {"plain": "robots", "source": "robots"},
            "obeyed for plain addresses; obeyed for sources",
        ),
        (
            ("crawl.robots=false",),
            {"plain": "kept", "source": "kept"},
            "not consulted for plain addresses; not consulted for sources",
        ),
    ],
)
def test_the_recipe_decides_about_robots_txt_of_sources_and_plan_and_ledger_say_which(
    tmp_path, settings, outcomes, said
):
    platform = Platform(write_video(tmp_path / "v.mp4"), limit=9, hour_s=1)
    platform.robots = "User-agent: *\nDisallow: /\n"
    with serve_platform(platform):
        urls = {"plain": f"{platform.url}/media/1.mp4", "source": f"{platform.url}/watch/1"}
        crawled = crawl_list(tmp_path, list(urls.values()), *settings)
    assert {name: crawled.reason(url) for name, url in urls.items()} == outcomes
    for name, url in urls.items():
        if outcomes[name] == "kept":
            assert crawled.outcomes[url]["detail"].startswith("robots.txt was not consulted")
    shown = vidal_inline("plan", "--recipe", "catalogue", *sets(*settings))
    assert shown.returncode == 0 and said in shown.stdout


def test_the_ledger_says_where_robots_txt_of_a_source_was_obeyed(tmp_path):
    with serve_platform(Platform(write_video(tmp_path / "v.mp4"), limit=9, hour_s=1)) as platform:
        urls = [f"{platform.url}/media/1.mp4", f"{platform.url}/watch/1"]
        crawled = crawl_list(tmp_path, urls, "crawl.robots_for_sources=true")
    assert [crawled.reason(url) for url in urls] == ["kept", "kept"]
    assert [crawled.outcomes[url]["detail"].partition(",")[0] for url in urls] == ["", "robots.txt was obeyed"]
