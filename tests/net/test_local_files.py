"""A page cannot have a local file copied into a dataset: no FFmpeg follows what a download names, and yt-dlp starts none on it."""

import subprocess
import sys

import av
import numpy as np
import pytest

from tests.conftest import write_video
from tests.support.builds import crawl_list
from tests.support.crawling import crawl_one
from vidal.errors import RecordError
from vidal.media import ffmpeg
from vidal.media.container import open_media
from vidal.media.probe import probe
from vidal.net.programs import check_program
from vidal.schema import Reason

# Of one 2 s segment, as a DASH manifest that FFmpeg's demuxer takes.
MANIFEST = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period><AdaptationSet mimeType="video/mp4" contentType="video">
<Representation id="1" bandwidth="100000" codecs="avc1.42c00d" width="64" height="48"><BaseURL>{address}</BaseURL></Representation>
</AdaptationSet></Period></MPD>
"""
PLAYLIST = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\n{address}\n#EXT-X-ENDLIST\n"


def crawl(url, out, *overrides):
    return crawl_one(url, ("crawl.attempts=1", *overrides), out=str(out))


@pytest.fixture
def secret(tmp_path):
    """A local video whose pictures are all of one grey, which no other video here has."""
    path = tmp_path / "private" / "secret.mp4"
    path.parent.mkdir()
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=12)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(24):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 77, np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture
def programs():
    """The command lines of the programs that this process starts."""
    started, is_on = [], [True]

    def hook(event, args):
        if event == "subprocess.Popen" and is_on[0]:
            started.append([str(part) for part in args[1]])

    sys.addaudithook(hook)
    yield started
    is_on[0] = False


@pytest.fixture
def site(serve_folder, tmp_path):
    folder = tmp_path / "site"
    folder.mkdir()
    return folder, serve_folder(folder)


@pytest.mark.parametrize("segment", ["manifest", "playlist", "concat"])
def test_a_segment_that_names_a_local_file_ends_in_an_outcome_and_opens_nothing(
    site, secret, tmp_path, programs, segment
):
    folder, base = site
    bodies = {
        "manifest": MANIFEST.format(address=f"file://{secret}"),
        "playlist": PLAYLIST.format(address=f"file://{secret}"),
        "concat": f"ffconcat version 1.0\nfile '{secret}'\nfile 'file:{secret}'\n",
    }
    (folder / "segment.ts").write_text(bodies[segment])
    (folder / "film.m3u8").write_text(PLAYLIST.format(address="segment.ts"))
    out = tmp_path / "out"
    with pytest.raises(RecordError) as failed:
        crawl(f"{base}/film.m3u8", out)
    assert failed.value.reason in (Reason.NOT_MEDIA, Reason.FORBIDDEN_SCHEME)
    assert not failed.value.transient
    assert not [path for path in out.rglob("*") if path.is_file()]
    assert not [command for command in programs if "-i" in command]


def test_a_playlist_of_media_is_kept_without_a_repair_by_yt_dlp(site, tmp_path, programs):
    folder, base = site
    whole = write_video(tmp_path / "v.mp4", frames=24, fps=12)
    command = [
        ffmpeg.executable(),
        "-v",
        "error",
        "-i",
        whole,
        "-c",
        "copy",
        "-f",
        "hls",
        "-hls_time",
        "1",
        "film.m3u8",
    ]
    subprocess.run(command, check=True, cwd=folder)
    programs.clear()
    clip = crawl(f"{base}/film.m3u8", tmp_path / "out").rows[0]
    assert clip["duration_s"] == pytest.approx(2.0, abs=0.05)
    inputs = [command for command in programs if "-i" in command]
    assert len(inputs) == 1 and inputs[0][inputs[0].index("-i") + 1].endswith(".mp4")
    assert all(value in inputs[0] for value in ffmpeg.INPUT_LIMITS.values())


def test_separate_pictures_and_sound_are_put_together_by_an_ffmpeg_that_opens_media_only(site, tmp_path, programs):
    folder, base = site
    _write_separate_sound(folder)
    programs.clear()
    clip = crawl(f"{base}/master.m3u8", tmp_path / "out", "crawl.format=bestvideo+bestaudio").rows[0]
    assert clip["has_audio"] and clip["duration_s"] == pytest.approx(2.0, abs=0.1)
    for command in (command for command in programs if "-i" in command):
        for name, value in ffmpeg.INPUT_LIMITS.items():
            assert command.count(f"-{name}") == command.count(value) == command.count("-i")


def _write_separate_sound(folder):
    make = [ffmpeg.executable(), "-v", "error", "-y"]
    tail = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"]
    video = ["-f", "lavfi", "-i", "testsrc2=d=2:s=64x48:r=12", "-c:v", "libx264", "-pix_fmt", "yuv420p"]
    subprocess.run([*make, *video, *tail, "video.m3u8"], check=True, cwd=folder)
    subprocess.run([*make, "-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac", *tail, "sound.m3u8"], check=True, cwd=folder)
    (folder / "master.m3u8").write_text(
        '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="sound.m3u8"\n'
        '#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.42c00d,mp4a.40.2",RESOLUTION=64x48,AUDIO="a"\nvideo.m3u8\n'
    )


def test_pictures_that_name_a_local_file_are_not_put_together_with_sound(site, secret, tmp_path, programs):
    folder, base = site
    _write_separate_sound(folder)
    for segment in folder.glob("video*.ts"):
        segment.write_text(MANIFEST.format(address=f"file://{secret}"))
    with pytest.raises(RecordError) as failed:
        crawl(f"{base}/master.m3u8", tmp_path / "out", "crawl.format=bestvideo+bestaudio")
    assert failed.value.reason is Reason.CORRUPT and "whitelist" in failed.value.detail
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.parametrize("part", ["film", "video", "sound"])
def test_no_part_of_a_page_copies_a_local_file_into_a_dataset(site, secret, tmp_path, programs, part):
    """C1, through the command, with the formats that the recipe chooses itself."""
    folder, base = site
    _write_separate_sound(folder)
    if part == "film":
        (folder / "master.m3u8").write_text(PLAYLIST.format(address="video0.ts"))
    for segment in folder.glob("video*.ts" if part == "film" else f"{part}*.ts"):
        segment.write_text(MANIFEST.format(address=f"file://{secret}"))
    (folder / "page.html").write_text(
        '<!doctype html><title>A film</title><body><video><source src="master.m3u8" type="application/x-mpegURL"></video></body>'
    )
    url = f"{base}/page.html"
    programs.clear()
    crawled = crawl_list(tmp_path, [url])
    assert crawled.finished.returncode == 0, crawled.finished.stderr
    assert crawled.reason(url) in ("corrupt", "not_media") and not crawled.clips
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".mp4", ".mp3", ".ts")]
    for command in (command for command in programs if "-i" in command):
        assert command.count("-protocol_whitelist") == command.count("-format_whitelist") >= command.count("-i")


def test_a_download_that_yt_dlp_would_hand_to_ffmpeg_is_refused(site, tmp_path, programs):
    folder, base = site
    key = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="key"'  # yt-dlp itself cannot decrypt it.
    (folder / "film.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{key}\n#EXTINF:2.0,\nsegment.ts\n#EXT-X-ENDLIST\n"
    )
    with pytest.raises(RecordError) as failed:
        crawl(f"{base}/film.m3u8", tmp_path / "out")
    assert (failed.value.reason, failed.value.transient) == (Reason.FORBIDDEN_SCHEME, False)
    assert not [command for command in programs if "-i" in command]


@pytest.mark.parametrize("scheme", ["rtmp", "rtmpe", "rtsp", "mms", "ftp", "file"])
def test_a_page_whose_medium_is_not_at_an_http_address_is_refused(site, tmp_path, programs, scheme):
    folder, base = site
    address = f"{scheme}://127.0.0.1/film.mp4"
    (folder / "page.html").write_text(
        "<!doctype html><html><head><title>A film</title></head><body>"
        f'<video><source src="{address}" type="video/mp4"></video></body></html>'
    )
    with pytest.raises(RecordError) as failed:
        crawl(f"{base}/page.html", tmp_path / "out")
    assert failed.value.reason is Reason.FORBIDDEN_SCHEME
    assert not programs


@pytest.mark.parametrize("name", ["list.m3u8", "list.mpd", "list.txt", "list.sdp", "film.mp4"])
def test_no_reader_of_ours_opens_a_file_that_names_others(secret, tmp_path, name):
    bodies = {
        ".m3u8": PLAYLIST.format(address=f"file://{secret}"),
        ".mpd": MANIFEST.format(address=f"file://{secret}"),
        ".txt": f"ffconcat version 1.0\nfile '{secret}'\n",
        ".sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
        ".mp4": MANIFEST.format(address=f"file://{secret}"),
    }
    path = tmp_path / name
    path.write_text(bodies[path.suffix])
    with pytest.raises(av.error.FFmpegError):
        open_media(path)
    with pytest.raises(RecordError, match="not_media"):
        probe(path, max_pixels=10**9)
    with pytest.raises(RecordError, match="corrupt"):
        ffmpeg.to_mp3(path, tmp_path / "made")
    with pytest.raises(RecordError, match="corrupt"):
        ffmpeg.merge([path], tmp_path / "made.mp4")


LIMITED = [part for name, value in ffmpeg.INPUT_LIMITS.items() for part in (f"-{name}", value)]


@pytest.mark.parametrize(
    ("arguments", "is_allowed"),
    [
        ([*LIMITED, "-i", "a.mp4", *LIMITED, "-i", "b.mp4", "c.mp4"], True),
        (["-bsfs"], True),
        ([*LIMITED, "-i", "a.mp4", "-i", "b.mp4", "c.mp4"], False),
        ([*LIMITED, "-protocol_whitelist", "file,http", "-i", "a.mp4", "b.mp4"], False),
        (["-protocol_whitelist", "file", "-i", "a.mp4", "b.mp4"], False),
        (["-i", "a.mp4"], False),
        (["a.mp4"], False),
        ([], False),
    ],
)
def test_ffmpeg_starts_only_with_every_input_behind_both_whitelists(arguments, is_allowed):
    command = [ffmpeg.executable(), *arguments]
    if is_allowed:
        check_program(command)
    else:
        with pytest.raises(Exception, match="another program"):
            check_program(command)


def test_other_programs_do_not_start_but_what_runs_a_sites_script_does():
    for command in (["rtmpdump", "-r", "x"], "mplayer", ["/bin/sh", "-c", "true"], [b"curl", b"x"]):
        with pytest.raises(Exception, match="another program"):
            check_program(command)
    check_program(["/usr/bin/deno", "run", "-"])
