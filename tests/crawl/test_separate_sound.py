"""A page whose pictures and sound are separate is kept with its sound, by the recipe's own choice of formats (C13)."""

import subprocess

import av
import numpy as np
import pytest

from tests.support.builds import crawl_list
from vidal.media import ffmpeg

F = [ffmpeg.executable(), "-v", "error", "-y"]
PICTURES = ["-f", "lavfi", "-i", "testsrc2=d=2:s=64x48:r=12"]
SOUND = ["-f", "lavfi", "-i", "sine=f=440:d=2"]
CODECS = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"]
PAGE = '<!doctype html><title>A film</title><body><video controls><source src="{name}" type="{type}"></video></body>'
KINDS = {"hls": ("film.m3u8", "application/x-mpegURL"), "dash": ("film.mpd", "application/dash+xml")}


def write_page(folder, kind):
    name, type_ = KINDS[kind]
    if kind == "hls":
        tail = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"]
        subprocess.run([*F, *PICTURES, *CODECS[:4], *tail, "pictures.m3u8"], check=True, cwd=folder)
        subprocess.run([*F, *SOUND, *CODECS[4:], *tail, "sound.m3u8"], check=True, cwd=folder)
        (folder / name).write_text(
            '#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="sound.m3u8"\n'
            '#EXT-X-STREAM-INF:BANDWIDTH=100000,CODECS="avc1.42c00d,mp4a.40.2",RESOLUTION=64x48,AUDIO="a"\npictures.m3u8\n'
        )
    else:
        tail = ["-f", "dash", "-seg_duration", "1", "-adaptation_sets", "id=0,streams=v id=1,streams=a", name]
        subprocess.run([*F, *PICTURES, *SOUND, *CODECS, *tail], check=True, cwd=folder)
    (folder / "page.html").write_text(PAGE.format(name=name, type=type_))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("address", ["page", "playlist"])
def test_separate_pictures_and_sound_are_kept_together(serve_folder, tmp_path, kind, address):
    folder = tmp_path / "site"
    folder.mkdir()
    write_page(folder, kind)
    url = f"{serve_folder(folder)}/{'page.html' if address == 'page' else KINDS[kind][0]}"
    crawled = crawl_list(tmp_path, [url])
    assert crawled.finished.returncode == 0, crawled.finished.stderr
    assert crawled.reason(url) == "kept", crawled.outcomes[url]
    clip = crawled.clips[url]
    assert clip["has_audio"] and clip["duration_s"] == pytest.approx(2.0, abs=0.1)
    with av.open(str(tmp_path / "out" / clip["media_path"])) as media:
        pictures = sum(1 for _ in media.decode(video=0))
        media.seek(0)
        sound = np.concatenate([frame.to_ndarray()[0] for frame in media.decode(audio=0)])
        rate = media.streams.audio[0].rate
    assert pictures == 24
    loudest = np.fft.rfftfreq(len(sound), 1 / rate)[np.abs(np.fft.rfft(sound)).argmax()]
    assert loudest == pytest.approx(440, abs=3)
