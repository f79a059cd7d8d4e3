"""Candidates from the user's own list of addresses: csv, jsonl or Parquet, other columns kept."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from vidal import ids
from vidal.errors import UserError
from vidal.schema import IMPORTED, Kind
from vidal.sources.source import Candidate
from vidal.sources.text import hashtags
from vidal.storage.storage import read_parquet

_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False),
    ".tsv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False, sep="\t"),
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False, convert_dates=False),
    ".parquet": lambda path: read_parquet(path).to_pandas(use_threads=False),
    ".txt": lambda path: pd.DataFrame({"url": [_address(line) for line in path.read_text("utf-8").split()]}, dtype=str),
}
_WATCH = "https://www.youtube.com/watch?v={id}"
_YOUTUBE_IDS = ("youtube_id", "ytid", "video_id")
# video2dataset's spans: a column of [[start, end], ...], in seconds or as "00:00:01.500".
_SPANS = ("clips", "spans")
_KNOWN = {"url", "title", "caption", "hashtags", "kind", "duration_s", "start_s", "end_s", "uploader", "licence"}


def read(path: str, columns: dict[str, str] | None = None) -> list[Candidate]:
    """The rows as candidates, in the order of the file; a row that stands twice is one, a row with spans is one a span.

    columns: the file's names for ours, where they differ. A file without `url` may name YouTube ids instead.
    Raises UserError for a missing or unreadable file, no `url` column, or a value of the wrong type, by its row.
    """
    file = Path(path)
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise UserError(f"catalogue {path}: must end in {', '.join(sorted(_READERS))}")
    if not file.is_file():
        raise UserError(f"catalogue {path}: no such file")
    try:
        frame = reader(file)
    except (ValueError, OSError, UnicodeDecodeError) as error:
        raise UserError(f"catalogue {path}: cannot be read: {' '.join(str(error).split())[:200]}") from error
    frame = _renamed(frame, columns or {}, path)
    if "url" not in frame.columns and (found := next((name for name in _YOUTUBE_IDS if name in frame.columns), None)):
        frame["url"] = [_WATCH.format(id=value) if value else "" for value in frame[found]]
    if "url" not in frame.columns:
        raise UserError(
            f"catalogue {path}: needs a column `url`, it has {', '.join(map(str, frame.columns)) or 'none'}"
        )
    if frame.empty:
        raise UserError(f"catalogue {path}: holds no rows")
    rows = [
        _candidate(row, f"catalogue {path}, row {i}")
        for i, record in enumerate(frame.to_dict("records"), start=1)
        for row in _spans(record, f"catalogue {path}, row {i}")
    ]
    return list({row["candidate_id"]: row for row in rows}.values())


def _address(line: str) -> str:
    """A line of a plain list: an address, or the id of a YouTube video, as in the released list of VIDAL-10M."""
    return line if "://" in line else _WATCH.format(id=line)


def _renamed(frame: pd.DataFrame, columns: dict[str, str], path: str) -> pd.DataFrame:
    """columns: ours to theirs, as in the recipe."""
    for ours, theirs in columns.items():
        if theirs not in frame.columns:
            raise UserError(
                f"catalogue {path}: columns.{ours} names {theirs!r}, it has {', '.join(map(str, frame.columns))}"
            )
    return frame.rename(columns={theirs: ours for ours, theirs in columns.items()})


def _spans(row: dict[Any, Any], where: str) -> list[dict[Any, Any]]:
    """The row once for each of its spans, or as it is."""
    name = next((name for name in _SPANS if name in row and not _missing(row[name])), None)
    if name is None:
        return [row]
    value = row[name]
    try:
        pairs = json.loads(value) if isinstance(value, str) else value
        found = [(_timestamp(start), _timestamp(end)) for start, end in pairs]
    except (TypeError, ValueError) as error:
        raise UserError(f"{where}: {name} must be [[start, end], ...], not {str(value)[:80]!r}") from error
    rest = {key: each for key, each in row.items() if key != name}
    return [{**rest, "start_s": start, "end_s": end} for start, end in found]


def _timestamp(value: Any) -> float:
    """Seconds, or hours, minutes and seconds between colons."""
    seconds = 0.0
    for part in str(value).split(":"):
        seconds = seconds * 60 + float(part)
    return seconds


def _candidate(row: dict[Any, Any], where: str) -> Candidate:
    values = {str(key): value for key, value in row.items() if not _missing(value)}
    url = str(values.get("url", "")).strip()
    if not url:
        raise UserError(f"{where}: the url is empty")
    kind = values.get("kind")
    if kind not in (None, Kind.VIDEO.value, Kind.AUDIO.value):
        raise UserError(f"{where}: kind must be video or audio, not {kind!r}")
    start_s, end_s = (_seconds(values, key, where) for key in ("start_s", "end_s"))
    if end_s is not None and end_s <= (start_s or 0.0):
        raise UserError(f"{where}: end_s must be after start_s")
    _check_views(values, where)
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
        "hashtags": _tags(values.get("hashtags"), title),
        "uploader": values.get("uploader"),
        "licence": values.get("licence"),
        "duration_s": _seconds(values, "duration_s", where),
        "start_s": start_s,
        "end_s": end_s,
        "curated": True,
        "extra": {key: str(value) for key, value in values.items() if key not in _KNOWN},
    }


def _check_views(values: dict[str, Any], where: str) -> None:
    """Texts that came with the list, as `vidal import` writes them."""
    try:
        views = json.loads(str(values.get(IMPORTED, "{}")))
        right = all(isinstance(text, str) for texts in views.values() for text in texts)
    except (ValueError, AttributeError, TypeError):
        right = False
    if not right:
        raise UserError(f'{where}: {IMPORTED} must be JSON such as {{"video": ["a text"]}}')


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or (isinstance(value, str) and not value)


def _seconds(values: dict[str, Any], key: str, where: str) -> float | None:
    if key not in values:
        return None
    try:
        seconds = float(values[key])
    except (TypeError, ValueError):
        seconds = math.nan
    if not math.isfinite(seconds) or seconds < 0:
        raise UserError(f"{where}: {key} must be seconds, not {values[key]!r}")
    return seconds


def _tags(value: Any, title: str) -> list[str]:
    """A list, or text with or without '#'."""
    if value is None:
        return hashtags(title)
    listed = [str(tag) for tag in value] if not isinstance(value, str) else value.replace(",", " ").split()
    return list(dict.fromkeys(tag.lstrip("#＃").lower() for tag in listed if tag.strip("#＃")))
