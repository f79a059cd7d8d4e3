"""Files as the internet has them, through the command: each is kept as a player would show it, or is refused alone by its name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import LIGHT, sets
from tests.hostile.handlers.media import endless_8k, endless_samples
from tests.hostile.sample import sample_video
from tests.support import players
from tests.support.inline import vidal_inline
from vidal.media.sound import read_mono

RATE = 16_000
OPTIONS = sets(*(override for override in LIGHT if override != "depth.model=null"), "duplicates.near=false", "duplicates.exact=false",
               "crawl.requests_per_s=1000",
               "crawl.burst=1000", "decoding.cpu_s=4", "filters.similarity_min=null", "keyframes.count=4")  # fmt: skip
SVG = '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><rect width="9" height="9"/></svg>'


def make_files(site: Path) -> None:
    base = players.film(site / "base.mp4")
    players.with_late_sound(site / "late.mp4")
    players.film(site / "long.mp4", "-filter:a", "apad=whole_dur=20")
    players.with_second_track(site / "second.mp4")
    players.with_second_track(site / "second.mkv")
    players.with_second_track(site / "heard.mp4")
    players.with_cancelling_channels(site / "cancelling.flac")
    players.quiet_first(site / "quiet.aac")
    one, two = players.tone(site / "one.mp3"), players.tone(site / "two.mp3", hertz=880)
    players.joined(site / "both.mp3", one, two)
    players.joined(
        site / "mixed.mp3", players.tone(site / "22050.mp3", "-ar", 22050), players.tone(site / "stereo.mp3", "-ac", 2)
    )
    players.tagged(site / "tagged.mp3", one)
    players.tagged(site / "tagged.aac", site / "quiet.aac")
    players.from_negative_time(site / "negative.mkv", base)
    players.silent_film(site / "raw.h264")
    players.with_latin_title(site / "latin.avi", base)
    players.with_display(site / "mirrored.mp4", base, "-display_hflip:v:0")
    players.with_display(site / "turned.mp4", base, "-display_rotation:v:0", "90", "-display_hflip:v:0")
    players.changing_size(site / "changing.mp4")
    players.red_hdr(site / "hdr.mp4", "smpte2084")
    players.interlaced(site / "interlaced.mp4")
    players.ffmpeg("-i", base, "-frames:v", 1, site / "still.webp")
    players.ffmpeg("-i", base, "-frames:v", 1, "-an", site / "still.mp4")
    players.ffmpeg("-i", base, "-t", 1, site / "animated.gif")
    (site / "drawing.svg").write_text(SVG)
    players.film(site / "long_gop.ts", "-g", 999, "-c:v", "libx264")
    players.silent_film(site / "silent.mp4")
    players.with_aspect(site / "wide.mp4", base, 1100, 1)
    players.with_aspect(site / "negative_aspect.mp4", base, 2147483648, 1)
    (site / "8k.mp4").write_bytes(endless_8k())
    (site / "samples.mp4").write_bytes(endless_samples(sample_video()))


ROWS = [
    *({"url": name} for name in ("base.mp4", "late.mp4", "long.mp4", "second.mp4", "second.mkv", "cancelling.flac", "quiet.aac",
                                 "both.mp3", "mixed.mp3", "tagged.mp3", "tagged.aac", "negative.mkv", "raw.h264", "latin.avi",
                                 "mirrored.mp4", "turned.mp4", "changing.mp4", "hdr.mp4", "interlaced.mp4", "still.webp",
                                 "still.mp4", "animated.gif", "drawing.svg", "wide.mp4", "negative_aspect.mp4", "8k.mp4",
                                 "samples.mp4")),
    {"url": "long_gop.ts", "start_s": 1.0, "end_s": 3.0},
    {"url": "long.mp4", "start_s": 3.5, "end_s": 4.5},
    {"url": "second.mkv", "start_s": 4.0, "end_s": 4.5},
    {"url": "silent.mp4", "kind": "audio"},
    {"url": "heard.mp4", "kind": "audio"},
    {"url": "one.mp3", "kind": "video"},
]  # fmt: skip


@dataclass(frozen=True)
class Built:
    """clips: the manifest by the row of the catalogue; reasons: of what was not kept. Both by name, start and kind."""

    out: Path
    clips: dict[str, dict]
    reasons: dict[str, str]
    audio: dict[str, np.ndarray]

    def frames(self, name: str) -> list[Image.Image]:
        return [Image.open(self.out / path) for path in self.clips[name]["frame_paths"]]


def key_of(row: dict) -> str:
    parts = [row["url"].rpartition("/")[2], row.get("kind"), row.get("start_s")]
    return " ".join(str(part) for part in parts if isinstance(part, (str, float)) and part == part and part)


@pytest.fixture(scope="module")
def built(tmp_path_factory, serve_folder) -> Built:
    folder = tmp_path_factory.mktemp("players")
    site, out = folder / "site", folder / "out"
    site.mkdir()
    make_files(site)
    base_url = serve_folder(site)
    rows = [{**row, "url": f"{base_url}/{row['url']}", "title": f"film {key_of(row)}"} for row in ROWS]
    pd.DataFrame(rows).to_csv(folder / "c.csv", index=False)
    files = ["--catalogue", str(folder / "c.csv"), "--allow-host", "127.0.0.1", "--out", str(out)]
    done = vidal_inline("build-shard", "0", "--recipe", "embedded", *files, *OPTIONS)
    assert done.returncode == 0, done.stderr[-3000:]
    clips = {row["title"].removeprefix("film "): row for row in pd.read_parquet(out).to_dict("records")}
    ledger = pd.read_parquet(out / "_ledger")
    failed = ledger[(ledger.subject == "candidate") & (ledger.status != "kept")]
    candidates = pd.concat(map(pd.read_parquet, (out / "_stages" / "discover").rglob("*.parquet")))
    names = dict(zip(candidates.candidate_id, candidates.title.str.removeprefix("film "), strict=True))
    reasons = {names[id_]: reason for id_, reason in zip(failed.id, failed.reason, strict=True)}
    audio = {
        name: read_mono(out / row["audio_path"], RATE)
        for name, row in clips.items()
        if isinstance(row["audio_path"], str)
    }
    return Built(out, clips, reasons, audio)


def test_what_is_no_good_is_refused_alone_and_by_its_name(built):
    assert built.reasons == {
        "still.webp": "still_picture",
        "still.mp4": "still_picture",
        "animated.gif": "animated_picture",
        "drawing.svg": "not_media",
        "wide.mp4": "too_many_pixels",
        "8k.mp4": "too_costly",
        "samples.mp4": "too_costly",
        "second.mkv 4.0": "span_outside",
        "silent.mp4 audio": "no_audio",
        "one.mp3 video": "no_pictures",
    }
    assert len(built.clips) + len(built.reasons) == len(ROWS)


@pytest.mark.parametrize(
    ("name", "kind", "duration_s"),
    [("quiet.aac", "audio", 4), ("both.mp3", "audio", 4), ("mixed.mp3", "audio", 4), ("tagged.mp3", "audio", 2),
     ("tagged.aac", "audio", 4), ("negative.mkv", "video", 4), ("raw.h264", "video", 4), ("latin.avi", "video", 4),
     ("long_gop.ts 1.0", "video", 2), ("long.mp4 3.5", "video", 0.5), ("heard.mp4 audio", "audio", 4),
     ("negative_aspect.mp4", "video", 4)],
)  # fmt: skip
def test_good_files_are_kept_with_their_length(built, name, kind, duration_s):
    clip = built.clips[name]
    assert clip["kind"] == kind
    assert clip["duration_s"] == pytest.approx(duration_s, abs=0.1)
    assert len(clip["frame_paths"]) == (4 if kind == "video" else 0)


@pytest.mark.parametrize("name", ["late.mp4", "long.mp4", "base.mp4", "second.mp4", "second.mkv"])
def test_the_sound_of_a_film_is_as_long_as_its_pictures(built, name):
    assert len(built.audio[name]) / RATE == pytest.approx(built.clips[name]["duration_s"], abs=1e-3)


def test_sound_that_starts_late_is_late(built):
    loud = np.flatnonzero(np.abs(built.audio["late.mp4"]) > 500)
    assert loud[0] / RATE == pytest.approx(1.5, abs=0.05)
    assert loud[-1] / RATE == pytest.approx(4.0, abs=0.05)


@pytest.mark.parametrize("name", ["second.mp4", "second.mkv", "heard.mp4 audio"])
def test_the_default_track_is_heard(built, name):
    spectrum = np.abs(np.fft.rfft(built.audio[name][RATE : 2 * RATE]))
    assert int(spectrum.argmax()) == 2000


def test_channels_that_cancel_each_other_are_not_silence(built):
    assert built.clips["cancelling.flac"]["audio_rms_db"] > -25
    assert "silence" not in [tag["tag"] for tag in built.clips["cancelling.flac"]["audio_tags"]]


def picture(built, name, index=1):
    return np.asarray(built.frames(name)[index], float)


def test_a_mirrored_film_is_mirrored_and_not_upside_down(built):
    base, mirrored = picture(built, "base.mp4"), picture(built, "mirrored.mp4")
    assert np.abs(mirrored - base[:, ::-1]).mean() < 3 < np.abs(mirrored - base[::-1, ::-1]).mean()
    assert built.clips["turned.mp4"]["width"] == 240 and picture(built, "turned.mp4").shape[:2] == (320, 240)


def test_a_film_whose_size_changes_has_pictures_of_one_size_and_its_depth(built):
    clip = built.clips["changing.mp4"]
    assert {frame.size for frame in built.frames("changing.mp4")} == {(clip["width"], clip["height"])} == {(320, 240)}
    assert len(clip["depth_paths"]) == 4
    assert picture(built, "changing.mp4", 3)[:, :80].max() < 20  # The later, narrow pictures stand between bars.


def test_a_high_dynamic_range_is_mapped_and_flagged(built):
    assert picture(built, "hdr.mp4")[120, 160] == pytest.approx([255, 0, 0], abs=15)
    assert json.loads(built.clips["hdr.mp4"]["extra"])["hdr"] is True


def test_interlaced_pictures_are_of_one_moment_and_flagged(built):
    lines = picture(built, "interlaced.mp4").mean(2)
    combed = np.abs(lines[1:-1] - (lines[:-2] + lines[2:]) / 2).mean()
    assert combed < 3
    assert json.loads(built.clips["interlaced.mp4"]["extra"])["interlaced"] is True
