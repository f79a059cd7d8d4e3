"""Writes tar archives as video2dataset and img2dataset write them: with WebDataset's writer, whose headers and order these are."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

Sample = Mapping[str, bytes]


def write_tar(path: Path, samples: Iterable[tuple[str, Sample]]) -> Path:
    """As webdataset.TarWriter: the members of a sample in the order of their endings, mode 0444, owner bigdata."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, members in samples:
            for ending in sorted(members):
                header = tarfile.TarInfo(f"{key}.{ending}")
                header.size, header.mode, header.mtime = len(members[ending]), 0o444, 1_700_000_000
                header.uname = header.gname = "bigdata"
                tar.addfile(header, io.BytesIO(members[ending]))
    return path


def video_sample(key: str, video: bytes, url: str, caption: str | None, **more: object) -> tuple[str, Sample]:
    """A sample of video2dataset's default writer: `mp4`, `json` and, if there is a caption, `txt`."""
    meta = {"url": url, "caption": caption, "key": key, "status": "success", "error_message": None, **more}
    members = {"mp4": video, "json": json.dumps(meta, indent=4).encode()}
    return key, members | ({"txt": caption.encode()} if caption is not None else {})


def picture_sample(key: str, picture: bytes, url: str, caption: str) -> tuple[str, Sample]:
    """A sample of img2dataset's default writer."""
    meta = {
        "caption": caption, "url": url, "key": key, "status": "success", "error_message": None, "width": 8, "height": 8,
        "original_width": 8, "original_height": 8, "exif": "{}", "sha256": "0" * 64,
    }  # fmt: skip
    return key, {"jpg": picture, "json": json.dumps(meta, indent=4).encode(), "txt": caption.encode()}
