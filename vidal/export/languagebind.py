"""Exports to the layout that LanguageBind's own loader reads: media named by clip, and JSON files with the texts of the clips.

The loader's `VAT_dataset` reads these media: FOLDER_resize256_skip15/ID.mp4, FOLDER/ID_depth_f8glpn_folder/K.png (16 bits),
FOLDER/ID_thermal_folder/K.jpg (8 bits, three channels), FOLDER_ffmpeg_mp3/ID.mp3. ID is the clip, and K the number of the frame. A JSON
file states the FOLDER of each clip. The videos are not resized, although the name of their folder says so.

Sounds are in JSON files of their own. A sound has no video, and the loader replaces a clip without a video by a random other clip.
"""

from __future__ import annotations

import io
import json
from collections import defaultdict
from pathlib import Path
from typing import TypedDict

from PIL import Image

from vidal.export.export import Exported, Rows
from vidal.media import ffmpeg
from vidal.records import Caption, ManifestRow
from vidal.schema import View
from vidal.stages.captions.stage import RELEASED
from vidal.stages.manifest.split import TRAIN
from vidal.storage import layout
from vidal.storage.storage import Storage

FRAMES = 8  # LanguageBind's loader draws one of eight frames.


class Annotation(TypedDict):
    """An entry of the annotation JSON.

    folder: the folder of the media. raw: title and hashtags. The other fields are captions. They are named after the models that wrote
    them for LanguageBind's paper, whatever model wrote them here.
    """

    folder: str
    raw: str
    ofa: list[str]
    mplug: str
    polish_mplug: str
    sound_mplug: str


def write(storage: Storage, rows: Rows, target: Path) -> Exported:
    """Writes the media, and for each split an annotation JSON of the videos and one of the sounds.

    The annotation of the training videos is called annotation.json, as in VIDAL-10M's release. LanguageBind's loader assumes that depth
    is in millimetres. Clips whose depth is in another unit are written too, and counted in Exported.not_millimetres.
    """
    done, annotations = Exported(), defaultdict[str, dict[str, Annotation]](dict)
    for row in rows:
        entry = annotations[_annotation_name(row)][row["clip_id"]] = annotation(row)
        _media(storage, row, target)
        done.clips += 1
        done.incomplete += not is_complete(entry)
        done.not_millimetres += bool(row["depth_paths"]) and row["depth_kind"] != "metric"
    for name, entries in annotations.items():
        (target / name).write_text(json.dumps(entries, ensure_ascii=False, indent=0), encoding="utf-8")
    return done


def _annotation_name(row: ManifestRow) -> str:
    kind = "" if row["video_path"] else "_sounds"
    split = "" if row["split"] == TRAIN else f"_{row['split']}"
    return f"annotation{kind}{split}.json"


def annotation(row: ManifestRow) -> Annotation:
    """Returns a manifest row as an entry of the annotation JSON. A text that does not exist is empty, because the format has no null."""
    texts = {view: _texts(row["captions"], view) for view in View}

    def first(view: View) -> str:
        return next(iter(texts[view]), "")

    tags = " ".join(f"#{tag}" for tag in row["hashtags"] if f"#{tag}" not in (row["title"] or "").lower())
    return {
        "folder": layout.shard_name(row["shard"]),
        "raw": " ".join(part for part in (row["title"], tags) if part),
        "ofa": texts[View.KEYFRAME],
        "mplug": first(View.VIDEO),
        "polish_mplug": first(View.ENHANCED),
        "sound_mplug": first(View.SOUND),
    }


def _texts(captions: list[Caption], view: View) -> list[str]:
    """Returns the texts of one view: those by the recipe's models or, if there are none, those that came with the catalogue."""
    of_view = [caption for caption in captions if caption["view"] == view.value]
    own = [caption["text"] for caption in of_view if caption["model"] != RELEASED]
    return own or [caption["text"] for caption in of_view]


def is_complete(entry: Annotation) -> bool:
    return len(entry["ofa"]) == FRAMES and all(
        (entry["raw"], entry["mplug"], entry["polish_mplug"], entry["sound_mplug"])
    )


def _media(storage: Storage, row: ManifestRow, target: Path) -> None:
    folder, clip_id = target / layout.shard_name(row["shard"]), row["clip_id"]
    if row["video_path"]:
        _write(target / f"{folder.name}_resize256_skip15" / f"{clip_id}.mp4", storage.read(row["video_path"]))
    for index, name in enumerate(row["depth_paths"]):
        _write(folder / f"{clip_id}_depth_f8glpn_folder" / f"{index}.png", storage.read(name))
    for index, name in enumerate(row["infrared_paths"]):
        _write(folder / f"{clip_id}_thermal_folder" / f"{index}.jpg", three_channels(storage.read(name)))
    if row["audio_path"]:
        sound = target / f"{layout.shard_name(row['shard'])}_ffmpeg_mp3" / f"{clip_id}.mp3"
        sound.parent.mkdir(parents=True, exist_ok=True)
        with storage.local(row["audio_path"]) as source:
            ffmpeg.to_mp3(source, sound)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def three_channels(data: bytes) -> bytes:
    """Returns a picture as a JPEG of three channels, which LanguageBind's loader reads."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
