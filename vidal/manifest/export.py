"""A dataset in the layout that LanguageBind's own loader reads: one annotation JSON, and media by id.

Layout (its `VAT_dataset`): FOLDER/ID.mp4, FOLDER_ffmpeg_mp3/ID.mp3, FOLDER/ID_depth_f8glpn_folder/K.png (16 bits),
FOLDER/ID_thermal_folder/K.jpg (8 bits, three channels), where FOLDER stands in the annotation of the id.
"""

from __future__ import annotations

import io
import json
import re
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from vidal.errors import UserError
from vidal.manifest.commit import DATASET, manifest_name
from vidal.media import ffmpeg
from vidal.schema import View
from vidal.stage import Record
from vidal.stages.captions import RELEASED
from vidal.storage import Storage, shard_name

ANNOTATION = "annotation.json"
FRAMES = 8  # Its loader draws one of eight.
_SHARD = re.compile(r"shard-(\d{5})\.parquet")


@dataclass(frozen=True)
class Exported:
    """clips: written; incomplete: of these, those that lack a text or a view which the format has a place for."""

    clips: int
    incomplete: int


def languagebind(out: str, target: Path) -> Exported:
    """Writes all shards of a dataset. Raises UserError where it is none, or the target holds files."""
    storage = Storage(out)
    if not storage.exists(DATASET):
        raise UserError(f"{out} is no dataset of vidal: it has no {DATASET}")
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} holds files: choose an empty or new folder")
    shards = sorted(int(found[1]) for name in storage.names("") if (found := _SHARD.fullmatch(name)))
    annotations: dict[str, Record] = {}
    for shard in shards:
        for row in storage.read_table(manifest_name(shard)).to_pylist():
            if row["duplicate_of"] is None:
                annotations[row["clip_id"]] = annotation(row)
                _media(storage, row, target)
    target.mkdir(parents=True, exist_ok=True)
    (target / ANNOTATION).write_text(json.dumps(annotations, ensure_ascii=False, indent=0), encoding="utf-8")
    return Exported(len(annotations), sum(not _is_complete(each) for each in annotations.values()))


def annotation(row: Record) -> Record:
    """A manifest row as the released JSON has it. A text that no model gave is empty: the format knows no null."""
    texts = {view: _texts(row["captions"], view) for view in View}

    def first(view: View) -> str:
        return next(iter(texts[view]), "")

    tags = " ".join(f"#{tag}" for tag in row["hashtags"] if f"#{tag}" not in (row["title"] or "").lower())
    return {
        "folder": shard_name(row["shard"]),
        "raw": " ".join(part for part in (row["title"], tags) if part),
        "ofa": texts[View.KEYFRAME],
        "mplug": first(View.VIDEO),
        "polish_mplug": first(View.ENHANCED),
        "sound_mplug": first(View.SOUND),
    }


def _texts(captions: list[Record], view: View) -> list[str]:
    """Those of the recipe's models; where it has none, those that came with the catalogue."""
    found = [each for each in captions if each["view"] == view.value]
    own = [each["text"] for each in found if each["model"] != RELEASED]
    return own or [each["text"] for each in found]


def _is_complete(entry: Record) -> bool:
    return len(entry["ofa"]) == FRAMES and all(entry[key] for key in ("raw", "mplug", "polish_mplug", "sound_mplug"))


def _media(storage: Storage, row: Record, target: Path) -> None:
    folder, clip_id = target / shard_name(row["shard"]), row["clip_id"]
    if row["video_path"]:
        _write(folder / f"{clip_id}.mp4", storage.read(row["video_path"]))
    for index, name in enumerate(row["depth_paths"]):
        _write(folder / f"{clip_id}_depth_f8glpn_folder" / f"{index}.png", storage.read(name))
    for index, name in enumerate(row["infrared_paths"]):
        _write(folder / f"{clip_id}_thermal_folder" / f"{index}.jpg", _three_channels(storage.read(name)))
    if row["audio_path"]:
        sound = target / f"{shard_name(row['shard'])}_ffmpeg_mp3" / f"{clip_id}.mp3"
        sound.parent.mkdir(parents=True, exist_ok=True)
        with storage.local(row["audio_path"]) as source:
            ffmpeg.to_mp3(source, sound)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def _three_channels(data: bytes) -> bytes:
    """Its loader reads three channels."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
