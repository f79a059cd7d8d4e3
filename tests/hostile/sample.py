"""The one good file of the site."""

from __future__ import annotations

import tempfile
from pathlib import Path

import av

from tests.conftest import write_video


def sample_video() -> bytes:
    """An MP4 of 2 s, 64x48, its index before its pictures: half of it still says how long the whole is."""
    with tempfile.TemporaryDirectory(prefix="hostile-") as folder:
        path = write_video(Path(folder) / "index-last.mp4", frames=48, fps=24)
        found = Path(folder) / "index-first.mp4"
        with av.open(str(path)) as source, av.open(str(found), "w", options={"movflags": "faststart"}) as target:
            stream = target.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        return found.read_bytes()
