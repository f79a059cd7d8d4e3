"""Writes one self-contained HTML page per shard.

The page shows how many records each stage kept, how many clips have each view, every clip, and what was dropped or failed. Pictures of
one kind, such as the depth pictures of a clip, are in one row, a "strip". Everything crawled is escaped; the page has no script and
loads nothing.
"""

from __future__ import annotations

import base64
import io
from collections import Counter
from typing import TypedDict

import jinja2
import numpy as np
from PIL import Image

from vidal.dataset.dataset_file import read_dataset_or_fail
from vidal.dataset.media_columns import paths_in, per_frame_columns
from vidal.dataset.shard_summary import ShardSummary, summaries_or_fail
from vidal.records import Caption, LedgerRow, ManifestRow, rows_of
from vidal.schema import Status, Subject, View, map_dict
from vidal.scores import MEANINGS
from vidal.stages.order import view_names
from vidal.storage import layout
from vidal.storage.storage import Storage

HEIGHT = 84  # The height of a picture in a strip, in pixels.


class ViewLine(TypedDict):
    """A line of the table of views. kept: how many clips have the view. absent: why the others lack it, as "REASON COUNT, ..."."""

    name: str
    kept: int
    absent: str


class ClipCard(ManifestRow):
    """A clip on the page.

    texts: the captions that the page shows. strips: one list of pictures for each kind (frames, depth and so on), as JPEG in base64.
    score_lines: name, value and meaning of each score.
    """

    texts: list[Caption]
    strips: list[list[str]]
    score_lines: list[tuple[str, float, str]]


class Reject(LedgerRow):
    """A candidate or clip that was not kept. what: the address of the candidate; if it is not known, the id."""

    what: str


def report(out: str) -> list[str]:
    """Writes a page for every committed shard of OUT, and returns the names of the pages. Raises UserError if there is no such shard."""
    storage = Storage(out)
    name = read_dataset_or_fail(storage)["identity"]["recipe"]
    return [_write(storage, name, summary) for summary in summaries_or_fail(storage)]


def _write(storage: Storage, recipe: str, summary: ShardSummary) -> str:
    shard = summary["shard"]
    rows = rows_of(storage.read_table(layout.manifest(shard)), ManifestRow)
    ledger = rows_of(storage.read_table(layout.ledger(shard)), LedgerRow)
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("vidal.report", "."), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("report.html.j2").render(
        shard=shard,
        name=recipe,
        funnel=summary["funnel"],
        views=_views(ledger, {row["clip_id"] for row in rows}),
        rows=[_clip(storage, row) for row in rows],
        rejects=_rejects(storage, ledger, shard),
    )
    name = layout.report(shard)
    storage.write(name, page.encode())
    return name


def _views(ledger: list[LedgerRow], clips: set[str]) -> list[ViewLine]:
    """Returns, for each view, how many clips have it, and why the others do not."""
    lines: list[ViewLine] = []
    for view in view_names():
        own = [row for row in ledger if row["view"] == view and row["parent_id"] in clips]
        absent = Counter(row["reason"] for row in own if row["status"] != Status.KEPT.value)
        kept = len(own) - sum(absent.values())
        why = ", ".join(f"{reason} {count}" for reason, count in absent.most_common())
        lines.append({"name": view, "kept": kept, "absent": why})
    return lines


def _clip(storage: Storage, row: ManifestRow) -> ClipCard:
    """Returns what the report shows of a clip: its row, texts, scores and strips of pictures.

    A keyframe caption that repeats the previous one is left out.
    """
    texts: list[Caption] = []
    for each in row["captions"]:
        repeated = texts and each["view"] == View.KEYFRAME.value and each["text"] == texts[-1]["text"]
        if each["text"] and not repeated:
            texts.append(each)
    strips = [_strip(storage, names) for column in per_frame_columns(row) if (names := paths_in(row, column))]
    lines = [(name, value, MEANINGS.get(name, "")) for name, value in map_dict(row["scores"]).items()]
    return {**row, "texts": texts, "strips": strips, "score_lines": lines}


def _strip(storage: Storage, names: list[str]) -> list[str]:
    images: list[Image.Image] = [Image.open(io.BytesIO(storage.read(name))) for name in names]
    return [_thumbnail(image) for image in (_stretched(images) if images[0].mode.startswith("I") else images)]


def _stretched(images: list[Image.Image]) -> list[Image.Image]:
    """Converts the 16-bit depth pictures of a clip to 8-bit gray, and stretches their values to the range from black to white.

    In a room, depth in millimetres is at most a few thousand, but 16 bits reach to 65,535. Without stretching, a room would look black.
    """
    values = [np.asarray(image, np.float32) for image in images]
    low, high = np.percentile(np.concatenate([each.ravel() for each in values]), (1, 99))
    return [Image.fromarray((np.clip((v - low) / max(high - low, 1), 0, 1) * 255).astype(np.uint8)) for v in values]


def _thumbnail(image: Image.Image) -> str:
    small = image.convert("RGB").resize((max(1, round(image.width * HEIGHT / image.height)), HEIGHT))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=80)
    return base64.b64encode(buffer.getvalue()).decode()


def _rejects(storage: Storage, ledger: list[LedgerRow], shard: int) -> list[Reject]:
    """Returns the candidates and clips that were not kept, with the addresses that they came from."""
    folder = layout.stage_folder("discover", shard)
    tables = layout.part_tables(storage.names(folder))
    columns = ["candidate_id", "url"]
    urls = {
        row["candidate_id"]: row["url"]
        for name in tables
        for row in storage.read_table(f"{folder}/{name}", columns).to_pylist()
    }
    ended = [e for e in ledger if e["subject"] != Subject.VIEW.value and e["status"] != Status.KEPT.value]
    return [{**entry, "what": urls.get(entry["parent_id"] or entry["id"], entry["id"])} for entry in ended]
