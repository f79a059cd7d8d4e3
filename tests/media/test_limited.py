"""Functions in processes that can be killed: what exceeds a limit fails alone, and the next call works."""

from __future__ import annotations

import os
import signal
import time

import psutil
import pytest

from tests.conftest import write_video
from tests.hostile.handlers.media import endless_8k, endless_samples
from tests.hostile.sample import sample_video
from vidal.errors import RecordError
from vidal.media import ffmpeg, limited, transcode
from vidal.media.budget import spend_frame, spend_packet
from vidal.media.probe import probe
from vidal.media.settings import Decoding
from vidal.schema import Reason

LIMITS = Decoding().limits()
MAX = 7680 * 4320


def work(kind):
    if kind == "cpu":
        while True:
            pass
    if kind == "memory":
        return len([bytearray(50_000_000) for _ in range(60)])
    if kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if kind == "bug":
        return 1 / 0
    if kind == "packets":
        for _ in range(11):
            spend_packet()
    if kind == "frames":
        for _ in range(11):
            spend_frame(10, 10)
    if kind == "pixels":
        spend_frame(101, 100)
    return os.getpid()


def test_a_process_serves_one_call_after_the_other():
    assert limited.call(LIMITS, work, "") == limited.call(LIMITS, work, "") != os.getpid()


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("cpu", Reason.TOO_COSTLY),
        ("memory", Reason.TOO_COSTLY),
        ("crash", Reason.CRASHED),
        ("packets", Reason.TOO_COSTLY),
        ("frames", Reason.TOO_COSTLY),
        ("pixels", Reason.TOO_MANY_PIXELS),
    ],
)
def test_a_call_beyond_its_limits_fails_alone(kind, reason):
    limits = Decoding(cpu_s=1, memory_mb=400, packets_max=10, frames_max=10).limits(max_pixels=10_000)
    with pytest.raises(RecordError) as failed:
        limited.call(limits, work, kind)
    assert failed.value.reason is reason
    assert limited.call(limits, work, "") > 0


def test_a_bug_is_raised_as_it_is_with_the_traceback_of_the_process():
    with pytest.raises(ZeroDivisionError) as failed:
        limited.call(LIMITS, work, "bug")
    assert "return 1 / 0" in str(failed.value.__cause__)


def processes():
    return [child for child in psutil.Process().children() if "vidal.media.limited_process" in child.cmdline()]


def test_no_process_is_left_behind_by_a_call_that_was_killed():
    limited.call(LIMITS, work, "")
    before = len(processes())
    with pytest.raises(RecordError):
        limited.call(LIMITS, work, "crash")
    assert len(processes()) == before - 1


def test_8k_pictures_of_28_bytes_end_within_the_limits(tmp_path):
    path = tmp_path / "8k.mp4"
    path.write_bytes(endless_8k())
    assert path.stat().st_size < 200_000
    limited.call(LIMITS, work, "")
    (process,) = processes()
    with pytest.raises(RecordError, match="too_costly: the process needed more than 3 CPU seconds"):
        limited.call(Decoding(cpu_s=3).limits(max_pixels=MAX), probe, path, max_pixels=MAX)
    assert not process.is_running()


def test_a_table_of_40_million_samples_ends_within_the_limits(tmp_path):
    path = tmp_path / "samples.mp4"
    path.write_bytes(endless_samples(sample_video()))
    assert path.stat().st_size < 2_000
    with pytest.raises(RecordError, match="too_costly"):
        limited.call(LIMITS, probe, path, max_pixels=MAX)


def test_ffmpeg_ends_within_the_limits_too(tmp_path):
    source = write_video(tmp_path / "v.mp4", size=(1920, 1080), frames=200, gop=200)
    properties, started = probe(source, max_pixels=MAX), time.process_time()
    with pytest.raises(RecordError, match="too_costly"):
        transcode.to_mp4(source, tmp_path / "cpu.mp4", properties, Decoding(cpu_s=1).limits())
    with pytest.raises(RecordError, match="too_costly"):
        small = Decoding(memory_mb=200).limits()
        arguments = ["-f", "lavfi", "-i", "testsrc2=s=3840x2160:d=2", "-f", "null", "-vf", "reverse", "-"]
        ffmpeg.execute(arguments, small)
    assert time.process_time() - started < 5
