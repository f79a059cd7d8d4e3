"""Turns the released annotation JSON of VIDAL-10M into a catalogue. The texts of an entry become views of the clip."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vidal.errors import UserError
from vidal.extra import IMPORTED
from vidal.schema import STR, STRS, View

YOUTUBE = "https://www.youtube.com/watch?v={id}"
_TEXTS = {"ofa": View.KEYFRAME, "mplug": View.VIDEO, "polish_mplug": View.ENHANCED, "sound_mplug": View.SOUND}
_HASHTAG = re.compile(r"(?<!\S)#(\w+)")
_PLACEHOLDER = re.compile(r"{[^}]*}?|}")
SCHEMA = pa.schema(
    [
        ("url", STR),
        ("title", STR),
        ("hashtags", STRS),
        ("languagebind_id", STR),
        ("languagebind_folder", STR),
        (IMPORTED, STR),
    ]
)


@dataclass(frozen=True)
class Imported:
    clips: int
    texts: int


def read(source: Path, target: Path, url: str = YOUTUBE) -> Imported:
    """Reads the annotation JSON `source`, and writes the catalogue `target` (Parquet).

    url: the address of a clip, in which {id} and {folder} stand for the id and the folder of its entry. Raises UserError if url lacks
    {id}, if source cannot be read, or if an entry is wrong; the error then names the first such entry.
    """
    if "{id}" not in url or set(_PLACEHOLDER.findall(url)) - {"{id}", "{folder}"}:
        raise UserError(
            f"--url {url}: must contain {{id}}, which stands for the id of the clip, and may contain {{folder}}, but no other braces"
        )
    try:
        entries = json.loads(source.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{source}: cannot be read as JSON: {error}") from error
    if not isinstance(entries, dict) or not entries:
        raise UserError(
            f"{source}: must be a mapping of clip ids to entries with their texts, like VIDAL-10M's annotation JSON"
        )
    rows = [_row(str(id_), entry, url, source) for id_, entry in entries.items()]
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_name(f".{target.name}.part")
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), aside)
    aside.replace(target)
    return Imported(len(rows), sum(len(each) for row in rows for each in json.loads(str(row[IMPORTED])).values()))


def _row(id_: str, entry: object, url: str, source: Path) -> dict[str, str | list[str]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("raw", ""), str):
        raise UserError(
            f"{source}: the entry {id_} must be a mapping with the keys raw, ofa, mplug, polish_mplug and sound_mplug"
        )
    raw = str(entry.get("raw", ""))
    return {
        "url": _PLACEHOLDER.sub(lambda match: id_ if match[0] == "{id}" else str(entry.get("folder", "")), url),
        "title": raw,
        "hashtags": [tag.lower() for tag in dict.fromkeys(_HASHTAG.findall(raw))],
        "languagebind_id": id_,
        "languagebind_folder": str(entry.get("folder", "")),
        IMPORTED: json.dumps(_views(entry, f"{source}: {id_}"), ensure_ascii=False),
    }


def _views(entry: dict[str, object], where: str) -> dict[str, list[str]]:
    """Returns the texts by view, without views whose texts are all empty.

    The other views keep their empty texts, so that the text at index k still describes frame k.
    """
    views = {}
    for key, view in _TEXTS.items():
        given = entry.get(key) or []
        texts = [given] if isinstance(given, str) else given
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise UserError(f"{where}: {key} must be a text or a list of texts")
        if any(texts):
            views[view.value] = texts
    return views
