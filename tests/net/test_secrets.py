"""The user and the password of an address are sent where they belong, and stand in nothing that is stored or said."""

import base64
import json

import pytest
from aiohttp import web

from tests.conftest import LIGHT, sets, write_video
from tests.support.builds import FAST, crawl_list
from tests.support.inline import vidal_inline
from vidal.errors import RecordError, UserError
from vidal.schema import Reason, without_credentials
from vidal.sources.embedded.site import serve

USER, SECRET = "kitty", "s3cr3t!w0rd"


def traces(folder, *secrets):
    """The files below the folder that contain a secret."""
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


@pytest.fixture
def site(tmp_path):
    """Serves a video to who knows the password below /closed/, and to all elsewhere. Yields (address, Authorization headers)."""
    video, seen = write_video(tmp_path / "v.mp4", size=(320, 240)).read_bytes(), []
    wanted = "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()

    async def get(request):
        seen.append((request.path, request.headers.get("Authorization")))
        if request.path.startswith("/closed/") and request.headers.get("Authorization") != wanted:
            return web.Response(status=401, text=f"no {request.url}")
        if request.path == "/away.mp4":
            raise web.HTTPFound(f"http://{USER}:{SECRET}@localhost:{request.url.port}/open.mp4")
        if request.path == "/page.html":
            source = f"http://{USER}:{SECRET}@{request.host}/open.mp4"
            text = f"<!doctype html><html><head><title>A cat</title></head><body><video src='{source}'></video></body></html>"
            return web.Response(text=text, content_type="text/html")
        if request.path.endswith((".txt", ".json")) or "missing" in request.path:
            raise web.HTTPNotFound
        return web.Response(body=video, content_type="video/mp4")

    app = web.Application()
    app.router.add_get("/{name:.*}", get)
    with serve(app) as url:
        yield url, seen


def test_a_build_with_passwords_in_addresses_stores_and_says_none(site, tmp_path):
    """C8."""
    url, _ = site
    secret = url.replace("http://", f"http://{USER}:{SECRET}@")
    rows = [
        {"url": f"{secret}/{name}", "title": "A grey wall #wall", "thumbnail": f"{secret}/t.jpg"}
        for name in ("open.mp4", "missing.mp4", "away.mp4", "page.html", "closed/c.mp4")
    ]
    rows.append({"url": f"http://{USER}:{SECRET}@127.0.0.1:1/refused.mp4", "title": "A grey wall"})
    (tmp_path / "list.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    out = tmp_path / "out"
    command = (
        "build-shard",
        "0",
        "--recipe",
        "catalogue",
        "--catalogue",
        str(tmp_path / "list.jsonl"),
        "--out",
        str(out),
        "--allow-host",
        "127.0.0.1",
        "--allow-host",
        "localhost",
        *sets(*LIGHT, *FAST, "crawl.attempts=1", "filters.similarity_min=null"),
    )
    finished = vidal_inline(*command)
    assert finished.returncode == 0, finished.stderr[-2000:]
    said = [vidal_inline("report", str(out)), vidal_inline("validate", str(out)), finished]
    exported = vidal_inline("export", str(out), "--format", "hf", "--to", str(tmp_path / "hf"))
    assert exported.returncode == 0, exported.stderr[-2000:]
    assert not traces(out, SECRET, USER) and not traces(tmp_path / "hf", SECRET, USER)
    assert not [each for each in said if SECRET in each.stdout + each.stderr]


def test_passwords_of_a_netrc_file_are_sent_to_their_host_alone(site, tmp_path):
    url, seen = site
    (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {SECRET}\ndefault login x password y\n")
    urls = [f"{url}/closed/c.mp4", f"{url}/away.mp4"]
    crawled = crawl_list(tmp_path, urls, f"crawl.netrc_file={tmp_path / 'netrc'}", allow=("127.0.0.1", "localhost"))
    assert [crawled.reason(each) for each in urls] == ["kept", "kept"]
    assert all(header is None for path, header in seen if path == "/open.mp4")
    assert not traces(tmp_path / "out", SECRET)


def test_a_closed_address_without_its_password_is_refused(site, tmp_path):
    url, _ = site
    address = f"{url}/closed/c.mp4"
    crawled = crawl_list(tmp_path, [address])
    assert crawled.reason(address) == "http_401"


def test_the_password_of_a_proxy_is_used_and_not_stored(tmp_path):
    video, seen = write_video(tmp_path / "v.mp4").read_bytes(), []

    async def answer(request):
        seen.append(request.headers.get("Proxy-Authorization"))
        if request.path.endswith((".txt", ".json")):
            raise web.HTTPNotFound
        return web.Response(body=video, content_type="video/mp4")

    app = web.Application()
    app.router.add_route("*", "/{name:.*}", answer)
    with serve(app) as url:
        proxy = url.replace("http://", f"http://{USER}:{SECRET}@")
        crawled = crawl_list(
            tmp_path, ["http://videos.example/c.mp4"], f"crawl.proxies=[{json.dumps(proxy)}]", allow=()
        )
        assert crawled.reason("http://videos.example/c.mp4") == "kept"
        assert seen[0] == "Basic " + base64.b64encode(f"{USER}:{SECRET}".encode()).decode()
        (tmp_path / "netrc").write_text(f"machine 127.0.0.1 login {USER} password {SECRET}\n")
        more = tmp_path / "more"
        more.mkdir()
        settings = (f"crawl.proxies=[{url}]", f"crawl.netrc_file={tmp_path / 'netrc'}")
        assert (
            crawl_list(more, ["http://videos.example/c.mp4"], *settings, allow=()).reason("http://videos.example/c.mp4")
            == "kept"
        )
        assert seen[-1] == seen[0]
    assert not traces(tmp_path / "out", SECRET)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("http://u:p@h/x", "http://h/x"),
        ("see https://u@h:1/, and socks5://a:b@c", "see https://h:1/, and socks5://c"),
        ("http://u:p@ss@h/", "http://h/"),
        ("http://h/a@b", "http://h/a@b"),
        ("mail@example.org", "mail@example.org"),
        ("('http://u:p@h',)", "('http://h',)"),
        ("http://h?a=http://u:p@i/", "http://h?a=http://i/"),
    ],
)
def test_a_text_without_credentials(text, clean):
    assert without_credentials(text) == clean


def test_no_message_of_an_error_has_credentials():
    for error in (RecordError(Reason.DNS, "no http://u:p@h/"), UserError("no http://u:p@h/")):
        assert "u:p" not in str(error)


def test_a_cookies_file_is_checked_before_anything_else(tmp_path):
    """C14."""
    (tmp_path / "page.html").write_text("<!doctype html><html></html>")
    for name, message in (("missing.txt", "no such file"), ("page.html", "Netscape")):
        crawled = vidal_inline_crawl(tmp_path, f"crawl.cookies_file={tmp_path / name}")
        assert crawled.returncode == 2
        assert name in crawled.stderr and message in crawled.stderr and len(crawled.stderr.strip().splitlines()) <= 2
    (tmp_path / "cookies.txt").write_text("# Netscape HTTP Cookie File\n.example.org\tTRUE\t/\tFALSE\t0\tname\tvalue\n")
    assert vidal_inline_crawl(tmp_path, f"crawl.cookies_file={tmp_path / 'cookies.txt'}").returncode == 0


def vidal_inline_crawl(tmp_path, *settings):
    (tmp_path / "l.jsonl").write_text('{"url": "http://127.0.0.1:1/x.mp4", "title": "A cat"}\n')
    return vidal_inline(
        "build-shard",
        "0",
        "--recipe",
        "catalogue",
        "--catalogue",
        str(tmp_path / "l.jsonl"),
        "--out",
        str(tmp_path / "out"),
        "--stage",
        "crawl",
        *sets(*FAST, "crawl.attempts=1", *settings),
    )
