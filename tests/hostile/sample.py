"""The one good file of the site."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av

from tests.conftest import write_video


def sample_video() -> bytes:
    """Returns an MP4 of 2 s, 64x48, with its index before its pictures, so that half of it still states the whole duration."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        path = write_video(Path(folder) / "index-last.mp4", frames=48, fps=24)
        rewritten = Path(folder) / "index-first.mp4"
        with av.open(str(path)) as source, av.open(str(rewritten), "w", options={"movflags": "faststart"}) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        return rewritten.read_bytes()
