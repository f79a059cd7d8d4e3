"""What goes wrong at a server or in yt-dlp is an outcome of its record; what our own code raises is a bug, and leaves as it is."""

import errno

import pytest
from aiohttp import web
from yt_dlp.extractor.common import InfoExtractor

from tests.support.crawling import crawl_one
from vidal.config.loading import load_recipe
from vidal.net.governor import Governor
from vidal.net.page_extraction import PageAnswer, extract_page
from vidal.pipeline.stage import Runtime
from vidal.schema import Reason
from vidal.sources.embedded.site import serve
from vidal.sources.plain import Plain
from vidal.sources.session import Network

PAGE = '<!doctype html><html><head><title>A film</title></head><body><video src="film.mp4"></video></body></html>'


@pytest.fixture
def site():
    async def page(request):
        return web.Response(text=PAGE, content_type="text/html")

    app = web.Application()
    app.router.add_get("/page.html", page)
    with serve(app) as url:
        yield url


def fails_in_yt_dlp(name, error):
    """A function of yt-dlp that raises, as where a page lacks what it expects."""
    source = f"def {name}(*arguments, **named):\n    raise error\n"
    functions = {"__name__": "yt_dlp.extractor.generic", "error": error}
    exec(compile(source, "generic.py", "exec"), functions)
    return functions[name]


@pytest.mark.parametrize(
    "error", [KeyError("formats"), AttributeError("no group"), TypeError("None"), RecursionError("deep")]
)
def test_an_error_of_yt_dlps_code_on_a_page_is_an_outcome(monkeypatch, error):
    """As it is computed in the process of the page, which this test does without."""
    monkeypatch.setattr(InfoExtractor, "_html_extract_title", fails_in_yt_dlp("_html_extract_title", error))
    monkeypatch.setattr(
        InfoExtractor, "_parse_html5_media_entries", fails_in_yt_dlp("_parse_html5_media_entries", error)
    )
    url, answers = "http://x.example/page.html", {}
    request = extract_page(url, answers)
    answers[request] = PageAnswer(url, 200, (("Content-Type", "text/html"),), PAGE.encode())
    outcome = extract_page(url, answers)
    assert (outcome.reason, outcome.transient) == (Reason.EXTRACTOR, False)


@pytest.mark.parametrize("error", [KeyError, ZeroDivisionError, TypeError])
def test_an_error_of_our_own_code_leaves_as_it_is(site, monkeypatch, error):
    """Governor.admit is called in the midst of yt-dlp, which wraps some exceptions and collects others."""
    monkeypatch.setattr(Governor, "record_success", raising(error("a bug")))
    with pytest.raises(error, match="a bug"):
        crawl_one(f"{site}/page.html")


def test_an_error_of_our_own_code_below_an_extractor_leaves_as_it_is(site, monkeypatch):
    bug, admit = KeyError("a bug"), Governor.admit
    asked = []

    def second_fails(self, host):
        asked.append(host)
        if (
            len(asked) == 5
        ):  # robots.txt, ai.txt, tdmrep.json and the page are asked by us, the page once more by yt-dlp.
            raising(bug)()
        return admit(self, host)

    monkeypatch.setattr(Governor, "admit", second_fails)
    with pytest.raises(KeyError, match="a bug") as failed:
        crawl_one(f"{site}/page.html")
    assert failed.value is bug


def test_an_error_of_our_own_code_in_a_redirect_leaves_as_it_is(monkeypatch):
    async def redirect(request):
        raise web.HTTPFound("/there.mp4")

    app = web.Application()
    app.router.add_get("/film.mp4", redirect)
    monkeypatch.setattr("vidal.net.gate.urljoin", raising(ZeroDivisionError("a bug")))
    with serve(app) as url, pytest.raises(ZeroDivisionError, match="a bug"):
        crawl_one(f"{url}/film.mp4")


def test_a_full_disk_of_ours_is_no_fault_of_the_record(site, monkeypatch):
    full = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr("vidal.sources.plain.read_start", raising(full))
    with pytest.raises(OSError, match="No space left") as failed:
        crawl_one(f"{site}/page.html")
    assert failed.value is full


def test_a_client_works_on_after_an_error_of_our_own_code(site, monkeypatch):
    network = Network(load_recipe("catalogue"), Runtime("memory://own", "run", ("127.0.0.1",)))
    with pytest.raises(ZeroDivisionError):
        network.call(raising(ZeroDivisionError("a bug")))
    assert network.call(lambda sources: isinstance(sources.for_candidate({"url": site}), Plain)) == (True, 1)


def raising(error):
    """A function of ours that raises it."""
    functions = {"__name__": "vidal.net.governor", "error": error}
    exec(compile("def fails(*arguments, **named):\n    raise error\n", "governor.py", "exec"), functions)
    return functions["fails"]
