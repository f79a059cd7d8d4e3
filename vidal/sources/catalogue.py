"""Reads candidates from the user's own list of addresses: csv, tsv, jsonl, Parquet or plain text. `extra` keeps unknown columns."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from vidal import ids
from vidal.errors import UserError
from vidal.extra import IMPORTED
from vidal.records import Candidate
from vidal.schema import Kind, without_credentials
from vidal.sources.catalogue_files import Catalogue, ListedRow
from vidal.sources.known_ids import KnownIds
from vidal.sources.text import parse_hashtags

if TYPE_CHECKING:
    from hashlib import _Hash

_YOUTUBE_PAGE = "https://www.youtube.com/watch?v={id}"
_YOUTUBE_IDS = ("youtube_id", "ytid", "video_id")
# Columns of spans in the form of video2dataset: [[start, end], ...], in seconds or as "00:00:01.500".
_SPAN_COLUMNS = ("clips", "spans")
_KNOWN_COLUMNS = {
    "url", "title", "caption", "hashtags", "kind", "duration_s", "start_s", "end_s", "uploader", "licence",
}  # fmt: skip


def read_catalogue(
    path: str, columns: dict[str, str] | None = None, digest: _Hash | None = None
) -> Iterator[Candidate]:
    """Yields a candidate for each row or, if a row has spans, for each of its spans, in the order of the files.

    A row that appears twice is one candidate. columns: maps our column names to the file's, if they differ. A file without `url` may
    have YouTube ids instead. digest: updated with the bytes that are read. Raises UserError for a file that is missing or cannot be
    read, for a file without addresses, and for a value of the wrong type, with its row.
    """
    files = Catalogue(path)
    known = KnownIds()
    count = 0
    for count, (where, row) in enumerate(files.rows(digest or sha256()), start=1):  # noqa: B007 - used after the loop.
        renamed = _with_address(_rename(row, columns or {}, files.where), where, files.where)
        for span in _split_spans(renamed, where):
            candidate = _candidate_of(span, where)
            if known.add(candidate["candidate_id"]):
                yield candidate
    if not count:
        raise UserError(f"{files.where}: no rows")


def _with_address(row: ListedRow, where: str, catalogue: str) -> ListedRow:
    """Returns the row with an address, if it has a YouTube id instead or is a line of a plain list."""
    if "url" in row:
        return row
    if "address" in row:
        return {"url": _address_of(str(row["address"]))}
    id_column = next((name for name in _YOUTUBE_IDS if name in row), None)
    if id_column is None:
        raise UserError(f"{where}: a column `url` is needed; the columns are {', '.join(map(str, row)) or 'none'}")
    return {**row, "url": _YOUTUBE_PAGE.format(id=row[id_column]) if row[id_column] else ""}


def _address_of(line: str) -> str:
    """Returns the address of a line of a plain list: an address, or a YouTube id, as in the released list of VIDAL-10M."""
    return line if "://" in line else _YOUTUBE_PAGE.format(id=line)


def _rename(row: ListedRow, columns: dict[str, str], where: str) -> ListedRow:
    for ours, theirs in columns.items():
        if theirs not in row:
            raise UserError(f"{where}: columns.{ours} names {theirs!r}, but the columns are {', '.join(map(str, row))}")
    names = {theirs: ours for ours, theirs in columns.items()}
    return {names.get(name, name): value for name, value in row.items()} if names else row


def _split_spans(row: ListedRow, where: str) -> list[ListedRow]:
    """Returns the row once for each of its spans, or unchanged if it has none."""
    column = next((name for name in _SPAN_COLUMNS if name in row and not _is_missing(row[name])), None)
    if column is None:
        return [row]
    value = row[column]
    try:
        pairs = json.loads(value) if isinstance(value, str) else value
        if not isinstance(pairs, list):
            raise TypeError("no list")
        spans_s = [(_parse_timestamp(start), _parse_timestamp(end)) for start, end in pairs]
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {column} must be [[start, end], ...], not {str(value)[:80]!r}") from error
    others = {key: cell for key, cell in row.items() if key != column}
    return [{**others, "start_s": start_s, "end_s": end_s} for start_s, end_s in spans_s]


def _parse_timestamp(value: object) -> float:
    """Returns the seconds of a number, or of hours, minutes and seconds separated by colons. Raises ValueError."""
    total_s = 0.0
    for part in str(value).split(":"):
        total_s = total_s * 60 + float(part)
    return total_s


def _candidate_of(row: ListedRow, where: str) -> Candidate:
    values = {str(key): value for key, value in row.items() if not _is_missing(value)}
    url = without_credentials(str(values.get("url", "")).strip())
    if not url:
        raise UserError(f"{where}: the url is empty")
    kind = values.get("kind")
    if kind not in (None, Kind.VIDEO.value, Kind.AUDIO.value):
        raise UserError(f"{where}: kind must be video or audio, not {kind!r}")
    start_s, end_s = (_parse_seconds(values, key, where) for key in ("start_s", "end_s"))
    if end_s is not None and end_s <= (start_s or 0.0):
        raise UserError(f"{where}: end_s must be after start_s")
    _check_imported_views(values, where)
    title = str(values.get("title", values.get("caption", "")))
    return {
        "candidate_id": ids.candidate_id("url", url, start_s, end_s),
        "source": None,
        "platform": "url",
        "source_id": url,
        "url": url,
        "media_url": None,
        "kind": kind,
        "search_terms": [],
        "title": title,
        "hashtags": _parse_tags(values.get("hashtags"), title),
        "uploader": _text(values, "uploader"),
        "licence": _text(values, "licence"),
        "duration_s": _parse_seconds(values, "duration_s", where),
        "start_s": start_s,
        "end_s": end_s,
        "curated": True,
        "extra": {key: without_credentials(str(value)) for key, value in values.items() if key not in _KNOWN_COLUMNS},
    }


def _text(values: ListedRow, key: str) -> str | None:
    return str(values[key]) if key in values else None


def _check_imported_views(values: ListedRow, where: str) -> None:
    """Checks texts that came with the catalogue, in the form that `vidal import` writes."""
    try:
        views = json.loads(str(values.get(IMPORTED, "{}")))
        is_valid = all(isinstance(text, str) for texts in views.values() for text in texts)
    except (ValueError, AttributeError, TypeError):
        is_valid = False
    if not is_valid:
        raise UserError(f'{where}: {IMPORTED} must be JSON such as {{"video": ["a text"]}}')


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and not value)


def _parse_seconds(values: ListedRow, key: str, where: str) -> float | None:
    if key not in values:
        return None
    try:
        seconds = float(str(values[key]))
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise UserError(f"{where}: {key} must be a number of seconds, 0 or more, not {values[key]!r}")
    return seconds


def _parse_tags(value: Any, title: str) -> list[str]:
    """Returns hashtags. value: a list, or a text with or without '#'; without a value, the hashtags of the title are returned."""
    if value is None:
        return parse_hashtags(title)
    tags = [str(tag) for tag in value] if not isinstance(value, str) else value.replace(",", " ").split()
    return list(dict.fromkeys(tag.lstrip("#＃").lower() for tag in tags if tag.strip("#＃")))
