"""WebDataset: tars of a thousand clips, with the members that LanguageBind's own reader of such tars looks for.

These are raw.txt, mplug.txt, polish_mplug.txt, sound_mplug.txt, ofa0.txt ..., frm0.jpg ..., tml0.jpg ..., dep0.npy ... The tars also
have members that this reader ignores: mp4, flac and json. The json is the row of the manifest, where each caption has its provenance.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
from PIL import Image
from webdataset import TarWriter

from vidal.export.export import Exported, Rows
from vidal.export.languagebind import annotation, is_complete, three_channels
from vidal.extra import read_extra
from vidal.records import ManifestRow
from vidal.schema import Kind, map_dict
from vidal.storage import layout
from vidal.storage.storage import Storage

CLIPS = 1000  # Clips in a tar, as in the tars of VIDAL-10M's release.
_TEXTS: tuple[Literal["raw", "mplug", "polish_mplug", "sound_mplug"], ...] = (
    "raw",
    "mplug",
    "polish_mplug",
    "sound_mplug",
)


def write(storage: Storage, rows: Rows, target: Path) -> Exported:
    """Writes the tars of each split. The same dataset gives the same bytes.

    All samples of a tar have the same members, because readers such as `datasets` infer the members from the first samples. So sounds,
    and clips that lack a view, are in tars of their own, whose names say so.
    """
    done, counts = Exported(), Counter[str]()
    with contextlib.ExitStack() as stack:
        tars: dict[str, TarWriter] = {}
        for row in rows:
            name = "-".join(part for part in (row["split"], _group(row)) if part)
            if counts[name] % CLIPS == 0:
                if name in tars:
                    tars[name].close()
                path = target / f"{name}-{counts[name] // CLIPS:05d}.tar"
                tars[name] = stack.enter_context(
                    TarWriter(str(path), user="vidal", group="vidal", mtime=0, encoder=False)
                )
            tars[name].write(sample(storage, row))
            counts[name] += 1
            done.clips += 1
            done.incomplete += not is_complete(annotation(row))
    return done


def _group(row: ManifestRow) -> str:
    """Returns "sounds" for a sound, "" for a video with all media, or for example "without-depth". A tar has clips of one such group."""
    if row["kind"] == Kind.AUDIO.value:
        return "sounds"
    views = {"sound": row["audio_path"], "depth": row["depth_paths"], "infrared": row["infrared_paths"]}
    lacking = [name for name, paths in views.items() if not paths]
    return "-".join(["without", *lacking]) if lacking else ""


def sample(storage: Storage, row: ManifestRow) -> dict[str, str | bytes]:
    """Returns the bytes of each member of a clip, by the member's extension, and the clip_id under "__key__".

    A missing text becomes an empty member. Missing media have no member.
    """
    entry = annotation(row)
    members = {"json": json.dumps(_plain(row), ensure_ascii=False).encode()}
    members |= {f"{name}.txt": entry[name].encode() for name in _TEXTS}
    for k, path in enumerate(row["frame_paths"]):
        members[f"ofa{k}.txt"] = entry["ofa"][k].encode() if k < len(entry["ofa"]) else b""
        members[f"frm{k}{Path(layout.file_name(path)).suffix}"] = storage.read(path)
    for k, path in enumerate(row["infrared_paths"]):
        members[f"tml{k}.jpg"] = three_channels(storage.read(path))
    for k, path in enumerate(row["depth_paths"]):
        members[f"dep{k}.npy"] = _npy(depth(storage.read(path), row))
    for extension, name in (("mp4", row["video_path"]), ("flac", row["audio_path"])):
        if name:
            members[extension] = storage.read(name)
    return {"__key__": row["clip_id"], **members}


def depth(data: bytes, row: ManifestRow) -> npt.NDArray[np.float32]:
    """Returns (h, w) float32: metres if the depth is metric, else the values of the depth model.

    data: the stored 16-bit picture. If the depth is not metric, the row's scores depth_at_0 and depth_at_65535 are the values that 0 and
    65535 in the picture stand for.
    """
    stored: npt.NDArray[np.float32] = np.asarray(Image.open(io.BytesIO(data))).astype(np.float32)
    if row["depth_kind"] == "metric":
        return stored / np.float32(1000)
    scores = map_dict(row["scores"])
    low, high = scores["depth_at_0"], scores["depth_at_65535"]
    values: npt.NDArray[np.float32] = (low + stored / 65535 * (high - low)).astype(np.float32)
    return values


def _npy(array: npt.NDArray[np.float32]) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def _plain(row: ManifestRow) -> dict[str, object]:
    """Returns the row as it is written to JSON: maps become objects, and times become texts in ISO 8601."""
    plain: dict[str, object] = {
        key: value.isoformat() if isinstance(value, datetime) else value for key, value in row.items()
    }
    return plain | {"scores": map_dict(row["scores"]), "extra": read_extra(row["extra"])}
