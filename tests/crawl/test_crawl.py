"""The crawler against a server on loopback: what cannot be fetched or used ends in its own outcome."""

import socket

import pytest

from tests.conftest import write_video
from tests.support.crawling import crawl_one
from vidal.errors import RecordError
from vidal.schema import Reason


def test_yt_dlp_failures_become_typed_outcomes(serve_folder, tmp_path):
    base = serve_folder(tmp_path)
    (tmp_path / "page.mp4").write_text("<html>please log in</html>")
    (tmp_path / "empty.mp4").write_bytes(b"")
    for name, reason in {"none.mp4": Reason.HTTP_404, "page.mp4": Reason.NOT_MEDIA}.items():
        with pytest.raises(RecordError) as failed:
            crawl_one(f"{base}/{name}")
        assert failed.value.reason is reason
    with pytest.raises(RecordError) as failed:
        crawl_one(f"{base}/x.mp4", allow=())
    assert failed.value.reason is Reason.FORBIDDEN_ADDRESS
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        closed = unused.getsockname()[1]
    with pytest.raises(RecordError) as failed:
        crawl_one(f"http://127.0.0.1:{closed}/x.mp4")
    assert (failed.value.reason, failed.value.transient, failed.value.attempts) == (Reason.REFUSED, True, 3)


def test_a_span_is_cut_exactly_and_one_past_the_end_costs_itself_alone(serve_folder, tmp_path):
    base = serve_folder(tmp_path)
    write_video(tmp_path / "v.mp4", frames=48, fps=12)
    clip = crawl_one(f"{base}/v.mp4", start_s=1.0, end_s=3.0).rows[0]
    assert (clip["start_s"], clip["duration_s"]) == (1.0, pytest.approx(2.0, abs=0.01))
    with pytest.raises(RecordError, match="span_outside"):
        crawl_one(f"{base}/v.mp4", start_s=3.0, end_s=9.0)


def test_a_stated_duration_is_not_believed(serve_folder, tmp_path):
    base = serve_folder(tmp_path)
    write_video(tmp_path / "v.mp4", frames=60, fps=2)
    assert crawl_one(f"{base}/v.mp4", duration_s=5.0).reason is Reason.FALSE_DURATION
    assert crawl_one(f"{base}/v.mp4").reason is Reason.TOO_LONG
    assert crawl_one(f"{base}/v.mp4", duration_s=30.0).reason is Reason.TOO_LONG
