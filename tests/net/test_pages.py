"""Pages that anyone may have written are read in a process with limits; what they need is asked through the gate."""

import os
import time
from collections import Counter

import psutil
import pytest
from aiohttp import web

from tests.conftest import write_video
from tests.support.builds import crawl_list
from vidal.sources.embedded.site import serve

N = 10_000
# Parts that yt-dlp's patterns, or a careless parser, take more than linear time for.
HOSTILE = {
    "iframe": '<iframe src="' * (N // 13),
    "iframe-quotes": "<iframe src='" * (N // 13),
    "script": "<script>" * N,
    "video": "<video " * N,
    "source": "<video>" + "<source " * N,
    "object": '<object data="' * N,
    "embed": '<embed src="' * N,
    "meta": '<meta property="og:video" content="' * N,
    "json-ld": '<script type="application/ld+json">' * (N // 10),
    "json-deep": '<script type="application/ld+json">' + "[" * 50_000 + "</script>",
    "jwplayer": "jwplayer(" * N,
    "flowplayer": "flowplayer('a', {" * (N // 10),
    "spaces": "<iframe" + " " * 100_000,
    "quotes": "<a href='" + '"' * 100_000,
    "data": "<div data-" * N,
    "braces": "<script>var a = " + "{" * 100_000,
    "xml": "<?xml version='1.0'?><rss>" + "<item>" * N,
    "entities": '<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {chr(98 + i)} "{("&" + chr(97 + i) + ";") * 10}">' for i in range(9))
    + "]><rss><channel><title>&j;</title></channel></rss>",
}

MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1000000S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4">
<Representation id="1" bandwidth="100000" codecs="avc1.42c00d" width="64" height="48">
<SegmentTemplate timescale="1000" media="s$Number$.m4s" initialization="i.mp4">
<SegmentTimeline><S t="0" d="1" r="900000000"/></SegmentTimeline>
</SegmentTemplate></Representation></AdaptationSet></Period></MPD>"""


@pytest.fixture
def site(tmp_path):
    """Serves pages by name, a video at /v.mp4, and counts what is asked."""
    video, pages, asked = write_video(tmp_path / "v.mp4").read_bytes(), {}, Counter()

    async def get(request):
        asked[request.path] += 1
        if request.path == "/v.mp4":
            return web.Response(body=video, content_type="video/mp4")
        page = pages.get(request.path)
        if page is None:
            raise web.HTTPNotFound
        return page(request) if callable(page) else web.Response(text=page, content_type="text/html")

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    with serve(app) as url:
        yield url, pages, asked


def cpu_s():
    children = psutil.Process().children(recursive=True)
    return sum(sum(process.cpu_times()[:2]) for process in (psutil.Process(), *children))


def test_hostile_pages_end_within_their_limit_and_good_ones_beside_them_are_kept(site, tmp_path):
    """C3."""
    url, pages, _ = site
    for name, body in HOSTILE.items():
        pages[f"/{name}"] = (
            f"<!doctype html><html><head><title>A cat</title></head><body>{body}"
            if name not in ("xml", "entities")
            else body
        )
    good = [f"/good{index}" for index in range(3)]
    pages.update(
        dict.fromkeys(
            good,
            "<!doctype html><html><head><title>A cat</title></head><body><video src='/v.mp4'></video></body></html>",
        )
    )
    urls = [url + path for path in pages]
    crawled = crawl_list(tmp_path, urls, "crawl.attempts=1", "crawl.page_cpu_s=2", "crawl.timeout_s=60")
    assert crawled.finished.returncode == 0
    assert [crawled.reason(url + path) for path in good] == ["kept"] * 3
    others = {crawled.reason(url + f"/{name}") for name in HOSTILE}
    assert others <= {"too_costly", "unsupported_url", "extractor", "not_media"}
    assert crawled.reason(f"{url}/iframe") == "too_costly"
    assert "raise crawl.page_cpu_s" in crawled.outcomes[f"{url}/iframe"]["detail"]


def test_a_page_that_fills_memory_ends_alone(site, tmp_path):
    url, pages, _ = site
    pages["/list.mpd"] = lambda request: web.Response(body=MPD.encode(), content_type="application/dash+xml")
    started, before = time.monotonic(), psutil.Process().memory_info().rss
    crawled = crawl_list(tmp_path, [f"{url}/list.mpd"], "crawl.attempts=1")
    assert crawled.reason(f"{url}/list.mpd") in ("too_costly", "extractor", "unsupported_url")
    assert time.monotonic() - started < 30
    assert psutil.Process().memory_info().rss - before < 1_000_000_000


def test_the_media_of_a_page_are_found_as_before(site, tmp_path):
    url, pages, asked = site
    pages["/player"] = (
        "<!doctype html><html><head><title>A cat</title></head><body><video src='/v.mp4'></video></body></html>"
    )
    tags = f'<meta property="og:title" content="A bird"><meta property="og:video" content="{url}/v.mp4?b">'
    pages["/open-graph"] = f"<!doctype html><html><head><title>x</title>{tags}</head><body></body></html>"
    pages["/list.m3u8"] = lambda request: web.Response(
        text="#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nv.mp4\n#EXT-X-ENDLIST\n",
        content_type="application/vnd.apple.mpegurl",
    )
    urls = [f"{url}/{name}" for name in ("player", "open-graph", "list.m3u8")]
    crawled = crawl_list(tmp_path, urls, title="")
    assert [crawled.reason(each) for each in urls[:2]] == ["kept", "kept"]
    assert [crawled.clips[each]["title"] for each in urls[:2]] == ["A cat (1)", "A bird"]
    assert asked["/player"] <= 2


def test_a_page_is_read_for_a_few_milliseconds_of_cpu(site, tmp_path):
    url, pages, _ = site
    pages.update(
        {
            f"/{i}": f"<!doctype html><html><title>A cat</title><video src='/v.mp4?{i}'></video></html>"
            for i in range(30)
        }
    )
    crawl_list(tmp_path, [f"{url}/0"])
    os.makedirs(tmp_path / "more")
    before = cpu_s()
    crawled = crawl_list(tmp_path / "more", [url + path for path in pages])
    assert {crawled.reason(url + path) for path in pages} == {"kept"}
    print(f"\n{1000 * (cpu_s() - before) / 30:.1f} ms of CPU a page and clip")
