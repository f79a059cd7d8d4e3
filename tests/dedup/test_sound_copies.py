"""Copies of a recording are found by its fingerprint, other recordings are not, and silence is like nothing."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from vidal.dedup.settings import Duplicates
from vidal.dedup.sounds import Sounds, near_sounds
from vidal.dedup.within_shard import find_copies
from vidal.media.ffmpeg import executable
from vidal.media.fingerprint import fingerprint

# Options of the input, of the output, and the ending.
COPIES = {
    "mp3": ((), ("-b:a", "64k"), "mp3"),
    "aac, half as loud": ((), ("-af", "volume=0.5", "-c:a", "aac", "-b:a", "48k"), "m4a"),
    "first 0.5 s cut": (("-ss", "0.5"), ("-c:a", "aac", "-b:a", "64k"), "m4a"),
    "11 kHz": ((), ("-ar", "11025"), "wav"),
}


def copied(source, target, kind):
    """The fingerprint of a copy."""
    before, after, _ = COPIES[kind]
    command = [executable(), "-v", "error", "-nostdin", "-y", *before, "-i", str(source), "-map", "0:a:0", *after]
    subprocess.run([*command, str(target)], check=True, capture_output=True)
    return fingerprint(target)


def row(name, values):
    absent = dict.fromkeys(("signature", "start_s", "duration_s", "embedding", "audio_embedding"))
    return {**absent, "clip_id": name, "kind": "audio", "source_sha256": name, "audio_fingerprint": values.tobytes()}


@pytest.mark.parametrize("every", [pytest.param(1, marks=pytest.mark.slow), 5])
def test_copies_of_the_shared_sounds_are_found_and_no_two_of_them_are_copies(shared, tmp_path, every):
    sources = sorted(path for path in (shared / "audio").iterdir() if path.suffix in (".wav", ".ogg", ".mp3"))[::every]
    with ThreadPoolExecutor(2) as pool:  # The work is ffmpeg's.
        found = list(pool.map(fingerprint, sources))
    prints = {path: values for path, values in zip(sources, found, strict=True) if len(values)}
    assert len(prints) >= 20 // every
    originals = [row(path.name, values) for path, values in prints.items()]
    assert find_copies(originals, Duplicates()) == {}
    for kind, (_, _, ending) in COPIES.items():
        targets = [tmp_path / f"{path.name}.{ending}" for path in prints]
        with ThreadPoolExecutor(2) as pool:
            copies = list(pool.map(copied, prints, targets, [kind] * len(targets)))
        rows = [row(f"copy of {path.name}", own) for path, own in zip(prints, copies, strict=True) if len(own)]
        found = find_copies([*originals, *rows], Duplicates())
        assert {name: each.of for name, each in found.items()} == {
            each["clip_id"]: each["clip_id"].removeprefix("copy of ") for each in rows
        }, kind
        assert len(rows) >= 0.9 * len(originals), kind
        assert {each.reason.value for each in found.values()} == {"duplicate_near"}


def test_silence_and_what_is_too_short_have_no_fingerprint(tmp_path):
    for name, source in (("silence", "anullsrc=duration=10"), ("short", "sine=frequency=440:duration=1")):
        target = tmp_path / f"{name}.wav"
        subprocess.run([executable(), "-v", "error", "-f", "lavfi", "-i", source, str(target)], check=True)
        assert not len(fingerprint(target))
    assert find_copies([row("a", np.zeros(0, "<u4")), row("b", np.zeros(0, "<u4"))], Duplicates()) == {}


@pytest.mark.parametrize(("start", "is_found"), [(0, True), (10, True), (60, False)])
def test_an_excerpt_is_found_where_it_lies_and_too_small_an_overlap_is_none(start, is_found):
    rng = np.random.default_rng(0)
    whole, tail = rng.integers(0, 2**32, 100, np.uint32), rng.integers(0, 2**32, 50, np.uint32)
    known = Sounds(np.arange(2), [rng.integers(0, 2**32, 100, np.uint32), whole])
    own = Sounds(np.array([2]), [np.concatenate([whole[start : start + 90], tail])[:80]])
    found = near_sounds(own, known, difference_max=1.0)
    assert (list(found.later), list(found.earlier)) == ([2], [1])
    assert bool(found.distance[0] == 0.0) is is_found
