"""Candidates from the user's own list of addresses: csv, jsonl or Parquet, other columns kept."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from vidal import ids
from vidal.errors import UserError
from vidal.schema import Kind
from vidal.sources import Candidate
from vidal.sources.text import hashtags

_READERS: dict[str, Callable[[Path], pd.DataFrame]] = {
    ".csv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False),
    ".tsv": lambda path: pd.read_csv(path, dtype=str, keep_default_na=False, sep="\t"),
    ".jsonl": lambda path: pd.read_json(path, lines=True, dtype=False, convert_dates=False),
    ".parquet": pd.read_parquet,
}
_KNOWN = {"url", "title", "caption", "hashtags", "kind", "duration_s", "start_s", "end_s", "uploader", "licence"}


def read(path: str) -> list[Candidate]:
    """The rows as candidates, in the order of the file; a row that stands twice is one.

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
    if "url" not in frame.columns:
        raise UserError(
            f"catalogue {path}: needs a column `url`, it has {', '.join(map(str, frame.columns)) or 'none'}"
        )
    if frame.empty:
        raise UserError(f"catalogue {path}: holds no rows")
    rows = [_candidate(row, f"catalogue {path}, row {i}") for i, row in enumerate(frame.to_dict("records"), start=1)]
    return list({row["candidate_id"]: row for row in rows}.values())


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
    title = str(values.get("title", values.get("caption", "")))
    return {
        "candidate_id": ids.candidate_id("url", url, start_s, end_s),
        "platform": "url",
        "source_id": url,
        "url": url,
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
