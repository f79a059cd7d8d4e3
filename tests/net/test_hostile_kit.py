"""The hostile site does what its table says: checked with plain sockets, httpx and yt-dlp, without our crawler."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
import urllib.robotparser
import zlib
from urllib.parse import urlsplit

import httpx
import pytest
import yt_dlp

from tests.conftest import ROOT
from tests.hostile import CASES, Served, serve
from tests.hostile.cases import table
from tests.hostile.handlers import ROUTES
from tests.hostile.handlers.bombs import UNPACKED_BYTES, crc32_with_zeros
from tests.hostile.handlers.pages import TITLES
from tests.hostile.sample import sample_video


@pytest.fixture(scope="module")
def video():
    return sample_video()


@pytest.fixture(scope="module")
def site(video):
    with serve(video) as served:
        yield served


@contextlib.contextmanager
def connected(served: Served, target: str, method: str = "GET"):
    """A socket that has asked and read nothing."""
    parts = urlsplit(served.url)
    with socket.create_connection((parts.hostname, parts.port), timeout=3) as client:
        client.sendall(f"{method} {target} HTTP/1.1\r\nHost: x\r\nX-Seen: yes\r\n\r\n".encode())
        yield client


def answer(served: Served, target: str, method: str = "GET") -> tuple[str, bytes]:
    """(head, body) as they came."""
    with connected(served, target, method) as client:
        head, _, body = b"".join(iter(lambda: client.recv(1 << 16), b"")).partition(b"\r\n\r\n")
    return head.decode("latin-1"), body


def test_every_case_has_a_handler_and_every_handler_a_case(site):
    asked = {urlsplit(case.path).path for case in CASES}
    assert asked <= set(ROUTES)
    assert set(ROUTES) - asked == {"/robots.txt", "/login", "/manifest.ts"}
    assert len({case.name for case in CASES}) == len({site.at(case) for case in CASES}) == len(CASES)


def test_the_readme_holds_the_table():
    assert table() in (ROOT / "tests" / "hostile" / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("path", "status", "type_"),
    [
        ("/ok.mp4", 200, "video/mp4"),
        ("/missing.mp4", 404, "text/plain"),
        ("/nowhere", 404, "text/plain"),
        ("/gone.mp4", 410, "text/plain"),
        ("/unavailable.mp4", 503, "text/plain"),
        ("/auth.mp4", 401, "text/plain"),
        ("/forbidden.mp4", 403, "text/plain"),
        ("/bot-check.mp4", 403, "text/html"),
        ("/rate-limited.mp4", 429, "text/plain"),
        ("/page.mp4", 200, "video/mp4"),
        ("/plain.mp4", 200, "text/plain"),
        ("/empty.mp4", 200, "video/mp4"),
        ("/playlist-file.m3u8", 200, "application/vnd.apple.mpegurl"),
        ("/playlist-hls.mp4", 200, "video/mp4"),
        ("/playlist-ffconcat.mp4", 200, "video/mp4"),
    ],
)
def test_statuses_and_types(site, path, status, type_):
    response = httpx.get(site.url + path)
    assert (response.status_code, response.headers["content-type"].partition(";")[0]) == (status, type_)


def test_headers_that_say_no(site):
    for path, name, value in (
        ("/noai.mp4", "x-robots-tag", "noai"),
        ("/noimageai.mp4", "x-robots-tag", "noimageai"),
        ("/noai-other.mp4", "x-robots-tag", "otherbot: noai"),
        ("/bot-check.mp4", "cf-mitigated", "challenge"),
    ):
        assert httpx.get(site.url + path).headers[name] == value
    robots = urllib.robotparser.RobotFileParser()
    robots.parse(httpx.get(f"{site.url}/robots.txt").text.splitlines())
    assert not robots.can_fetch("any", f"{site.url}/robots/secret.mp4")
    assert robots.can_fetch("any", f"{site.url}/ok.mp4")
    form = httpx.get(f"{site.url}/login.mp4", follow_redirects=True)
    assert (form.status_code, form.url.query) == (200, b"next=%2Flogin.mp4")
    assert 'type="password"' in form.text


def test_lengths_that_lie_and_one_that_agrees(site, video):
    for path, stated, sent in (
        ("/ok.mp4", len(video), len(video)),
        ("/length-long.mp4", 2 * len(video), len(video)),
        ("/length-short.mp4", len(video) // 2, len(video)),
        ("/truncated.mp4", len(video) // 2, len(video) // 2),
        ("/empty.mp4", 0, 0),
    ):
        head, body = answer(site, path)
        assert f"Content-Length: {stated}\r\n" in head
        assert body == video[:sent]


def test_a_rate_limit_is_lifted_when_it_says(site):
    once = f"{site.url}/rate-limited-once.mp4?run=kit"
    assert [httpx.get(once).status_code for _ in range(3)] == [429, 200, 200]
    until = f"{site.url}/rate-limited-until?seconds=2&run=kit"
    first = httpx.get(until)
    assert (first.status_code, first.headers["retry-after"]) == (429, "2")
    time.sleep(1.1)
    assert httpx.get(until).headers["retry-after"] == "1"
    time.sleep(1)
    assert httpx.get(until).status_code == 200
    assert httpx.get(f"{until}&fresh").status_code == 429


@pytest.mark.parametrize("path", ["/gzip-bomb.mp4", "/gzip-bomb.html"])
def test_ten_megabytes_unpack_to_more_than_a_gigabyte(site, path):
    unpacked, packed = 0, 0
    inflate = zlib.decompressobj(31)
    with httpx.stream("GET", site.url + path) as response:
        assert response.headers["content-encoding"] == "gzip"
        assert int(response.headers["content-length"]) < 11e6
        for data in response.iter_raw():
            packed += len(data)
            while data and unpacked <= 2**30:
                unpacked += len(inflate.decompress(data, 1 << 22))
                data = inflate.unconsumed_tail
    assert unpacked > 2**30
    assert packed == int(response.headers["content-length"])


def test_the_checksum_of_a_bomb_is_the_true_one():
    start, zeros = b"any start", 1_000_003
    assert crc32_with_zeros(zlib.crc32(start), zeros) == zlib.crc32(start + bytes(zeros))
    assert UNPACKED_BYTES % (16 << 20) == 0


def test_a_drip_is_a_byte_a_second(site):
    with connected(site, "/drip.mp4") as client:
        received, end = b"", time.monotonic() + 1.5
        while time.monotonic() < end:
            received += client.recv(1 << 16)
    assert 2 <= len(received.partition(b"\r\n\r\n")[2]) <= 3


def test_stalls_and_silences_hold_the_line(site):
    for path, bodies in (("/stall.mp4", 1024), ("/silent.mp4", 0)):
        with connected(site, path) as client:
            client.settimeout(0.6)
            received = b""
            with pytest.raises(TimeoutError):
                while data := client.recv(1 << 16):
                    received += data
            assert len(received.partition(b"\r\n\r\n")[2]) == bodies


def test_endless_answers_stop_when_the_client_goes_or_the_limit_is_over(video):
    with serve(video, limit_s=0.7) as brief:
        for path in ("/endless.mp4", "/endless.html", "/headers-endless.mp4"):
            with connected(brief, path) as client:
                read = 0
                while read < 1e7:
                    read += len(client.recv(1 << 16))
            time.sleep(0.2)
            sent = brief.bytes_sent[path]
            time.sleep(0.2)
            assert 1e7 - (1 << 16) <= sent == brief.bytes_sent[path]
        started = time.monotonic()
        for path in ("/drip.mp4", "/silent.mp4"):
            with connected(brief, path) as client:
                while client.recv(1 << 16):
                    pass
        assert 1.3 < time.monotonic() - started < 3


def test_redirects_name_what_they_should(site):
    for path, address in (
        ("/redirect-loop.mp4", "/redirect-loop.mp4"),
        ("/redirect-private.mp4", "http://169.254.169.254/latest/meta-data/"),
        ("/redirect-private-name.mp4", "http://[::ffff:10.0.0.1]/x"),
        ("/redirect-decimal.mp4", "http://2130706433:1/x.mp4"),
        ("/redirect-file.mp4", "file:///etc/hostname"),
    ):
        head, body = answer(site, path)
        assert head.startswith("HTTP/1.1 302 Found\r\n") and f"Location: {address}\r\n" in head and not body


def test_a_chain_has_sixty_hops(site, video):
    with httpx.Client(follow_redirects=True, max_redirects=60) as client:
        response = client.get(f"{site.url}/redirect-chain.mp4?n=60")
    assert (len(response.history), response.content) == (60, video)


def test_tls_is_refused_by_who_verifies_and_works_for_who_does_not(site, video):
    address = f"{site.tls_url}/ok.mp4?run=tls"
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(address)
    assert not [request for request in site.asked("/ok.mp4") if request.tls]
    assert httpx.get(address, verify=False, timeout=30).content == video
    assert [request.query for request in site.asked("/ok.mp4") if request.tls] == ["run=tls"]


def test_answers_that_break_the_protocol(site):
    assert answer(site, "/bad-status.mp4")[0].startswith("HTTP/1.1 banana\r\n")
    head, _ = answer(site, "/cookie-bomb.mp4")
    assert head.count("Set-Cookie: ") == 300 and len(head) > 300 * 4096
    with connected(site, "/reset.mp4") as client:
        received = b""
        with pytest.raises(ConnectionResetError):
            while data := client.recv(1 << 16):
                received += data
    assert len(received.partition(b"\r\n\r\n")[2]) == 1024


def test_head_is_answered_by_a_head(site):
    for path in sorted(set(ROUTES) - {"/silent.mp4", "/headers-endless.mp4"}):
        head, body = answer(site, path, "HEAD")
        assert head.startswith("HTTP/1.1 ") and not body, path


@pytest.mark.parametrize("word", TITLES)
def test_yt_dlp_reads_the_titles(site, word):
    with yt_dlp.YoutubeDL({"quiet": True, "no_warnings": True}) as ydl:
        info = ydl.extract_info(f"{site.url}/title-{word}.html", download=False)
    assert (info["title"], info["url"]) == (TITLES[word], f"{site.url}/ok.mp4?t={word}")
    assert len(TITLES["long"]) == 2000


@pytest.mark.parametrize("name", ["playlist-1000.rss", "playlist-1000.html"])
def test_yt_dlp_finds_a_thousand_entries(site, name):
    with yt_dlp.YoutubeDL({"quiet": True, "no_warnings": True, "extract_flat": True}) as ydl:
        info = ydl.extract_info(f"{site.url}/{name}", download=False)
    assert (info["_type"], len(list(info["entries"]))) == ("playlist", 1000)


def test_the_log_says_what_was_asked_when_and_how_much_was_sent(video):
    with serve(video) as fresh:
        before = time.monotonic()
        head, body = answer(fresh, "/ok.mp4?i=3")
        answer(fresh, "/missing.mp4", "HEAD")
        first, second = fresh.requests
        assert (first.method, first.path, first.query, first.headers["x-seen"]) == ("GET", "/ok.mp4", "i=3", "yes")
        assert (second.method, second.path) == ("HEAD", "/missing.mp4")
        assert before <= first.time_monotonic <= second.time_monotonic <= time.monotonic()
        assert fresh.bytes_sent["/ok.mp4"] == len(head) + 4 + len(body)


def test_it_stops_at_once_and_in_silence(video, caplog):
    with contextlib.ExitStack() as clients:
        with serve(video) as busy:
            for path in ("/silent.mp4", "/drip.mp4", "/endless.mp4", "/headers-endless.mp4"):
                clients.enter_context(connected(busy, path))
            with connected(busy, "/endless.mp4") as vanishing:
                vanishing.recv(1 << 16)
            parts = urlsplit(busy.url)
            clients.enter_context(socket.create_connection((parts.hostname, parts.port)))
            clients.enter_context(socket.create_connection((parts.hostname, urlsplit(busy.tls_url).port)))
            time.sleep(0.3)
            started = time.monotonic()
        assert time.monotonic() - started < 2
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((parts.hostname, parts.port))
    assert not [record for record in caplog.records if record.name == "asyncio" and record.levelname != "DEBUG"]


def test_a_taken_port_is_an_error_and_leaves_nothing_running(video):
    with serve(video) as first, pytest.raises(OSError), serve(video, port=urlsplit(first.url).port):
        pass


def test_the_command_lists_the_cases_and_sums_up_at_the_end(tmp_path, video):
    (tmp_path / "v.mp4").write_bytes(video)
    command = [sys.executable, "-m", "tests.hostile", "--video", str(tmp_path / "v.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as process:
        lines = []
        while not (line := process.stdout.readline()).startswith("# serving"):
            lines.append(line.rstrip("\n").split("\t"))
        assert len(lines) == 1 + len(CASES)
        assert httpx.get(lines[1][0]).content == video
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert out.splitlines()[1].startswith("/ok.mp4\t1\t")
