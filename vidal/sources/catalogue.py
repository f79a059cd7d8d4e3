"""Reads candidates from the user's own list of addresses: csv, tsv, json, jsonl, Parquet or plain text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vidal import ids
from vidal.errors import UserError
from vidal.extra import IMPORTED
from vidal.records import Candidate
from vidal.schema import Kind, without_credentials
from vidal.sources.catalogue_files import Catalogue, ListedRow
from vidal.sources.listed_spans import split_spans
from vidal.sources.listed_texts import add_texts
from vidal.sources.listed_values import RowError, is_missing, parse_seconds, parse_tags, parse_texts, text_of
from vidal.sources.listing import RefusedRow, count_of

if TYPE_CHECKING:
    from hashlib import _Hash

_YOUTUBE_PAGE = "https://www.youtube.com/watch?v={id}"
_YOUTUBE_IDS = ("youtube_id", "ytid", "video_id")
_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)
# The largest number of unknown columns that the user is told about after the list has been read.
_NAMED_MAX = 30
_KNOWN_COLUMNS = {
    "url", "title", "caption", "hashtags", "kind", "duration_s", "start_s", "end_s", "uploader", "licence",
}  # fmt: skip


class CatalogueListing:
    """Reads the files of a user's list in order. Each usable row becomes a candidate. A row with spans gives one candidate per span.

    A row without a `url` may have a YouTube id instead. Columns that vidal does not know are kept in `extra`.

    columns: the list's name of a column, by vidal's name, such as {"url": "link"}. Only names that differ need an entry.
    Raises UserError if a file is missing or cannot be read, or if the list has no column with a name that `columns` gives.
    """

    def __init__(self, pattern: str, columns: dict[str, str] | None = None):
        self._files = Catalogue(pattern)
        self._columns = columns or {}
        self._ours = {theirs: ours for ours, theirs in self._columns.items()}
        self._names: set[str] = set()
        self._others: dict[str, None] = {}
        self.where = self._files.where

    def stamp(self) -> list[str]:
        return self._files.stamp()

    def check(self) -> None:
        """Does nothing: the constructor has looked for the files."""

    def extent(self) -> str:
        return count_of(len(self._files.paths), "file")

    def sha256(self) -> str:
        return self._files.sha256()

    def candidates(self, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        for where, row in self._files.rows(digest):
            try:
                spans = split_spans(_with_address(self._rename(row)))
            except RowError as error:
                yield RefusedRow(where, str(error))
            else:
                for number, span in enumerate(spans, start=1):
                    yield self._candidate_of(span, f"{where}, span {number}" if len(spans) > 1 else where)
        self._check_columns()

    def remarks(self) -> list[str]:
        names = ", ".join(list(self._others)[:_NAMED_MAX])
        return [f"unknown columns (kept in extra): {names}"] if names else []

    def _candidate_of(self, row: ListedRow | RowError, where: str) -> Candidate | RefusedRow:
        try:
            if isinstance(row, RowError):
                raise row
            candidate = candidate_of(row)
        except RowError as error:
            return RefusedRow(where, str(error))
        if len(self._others) < _NAMED_MAX:
            self._others.update(dict.fromkeys(candidate["extra"]))
        return candidate

    def _rename(self, row: ListedRow | RowError) -> ListedRow:
        if isinstance(row, RowError):
            raise row
        if not self._ours:
            return row
        self._names.update(row)
        # Where the user maps another column to one of our names, the list's own column of this name is left out.
        kept = {name: cell for name, cell in row.items() if name not in self._columns or name in self._ours}
        return {self._ours.get(name, name): cell for name, cell in kept.items()}

    def _check_columns(self) -> None:
        for ours, theirs in self._columns.items():
            if theirs not in self._names:
                known = ", ".join(sorted(self._names)) or "none"
                raise UserError(f"{self.where}: columns.{ours} names {theirs!r}, but the columns are {known}")


def _with_address(row: ListedRow) -> ListedRow:
    """Returns the row with a `url`. If the row has none, the url is made from its YouTube id.

    A row of a plain text list is a single line, which is a url or a YouTube id.

    Raises RowError if the row has neither a url nor a YouTube id, or if the id is not valid.
    """
    if "url" in row and not is_missing(row["url"]):
        return row
    if "address" in row:
        return {"url": _address_of(str(row["address"]))}
    id_column = next((name for name in _YOUTUBE_IDS if not is_missing(row.get(name))), None)
    if id_column is not None:
        return {**row, "url": _youtube_page(id_column, str(row[id_column]).strip())}
    if "url" in row or any(name in row for name in _YOUTUBE_IDS):
        raise RowError("the url is empty")
    raise RowError(
        f"no column `url`: name the column of URLs with --set columns.url=COLUMN; the columns are {', '.join(map(str, row)) or 'none'}"
    )


def _address_of(line: str) -> str:
    """Returns the address for a line of a plain text list. The line is an address or, as in VIDAL-10M's released list, a YouTube id."""
    return line if "://" in line else _youtube_page("a line without ://", line)


def _youtube_page(name: str, id_: str) -> str:
    if not _YOUTUBE_ID.fullmatch(id_):
        raise RowError(f"{name} must be a YouTube id of eleven characters, not {id_[:80]!r}")
    return _YOUTUBE_PAGE.format(id=id_)


def candidate_of(row: ListedRow) -> Candidate:
    """Returns the candidate that a row of the user's list describes. Raises RowError if the row is not usable."""
    values = {str(key): value for key, value in row.items() if not is_missing(value)}
    url = without_credentials(_text(values, "url").strip())
    start_s, end_s = _span(values)
    _check_imported_views(values)
    title, *others = [*parse_texts(values.get("title")), *parse_texts(values.get("caption"))] or [""]
    candidate: Candidate = {
        "candidate_id": ids.candidate_id("url", url, start_s, end_s),
        "source": None,
        "platform": "url",
        "source_id": url,
        "url": url,
        "media_url": None,
        "kind": parse_kind(values.get("kind")),
        "search_terms": [],
        "title": title,
        "hashtags": parse_tags(values.get("hashtags"), (title, *others)),
        "uploader": _text(values, "uploader") or None,
        "licence": _text(values, "licence") or None,
        "duration_s": _seconds(values, "duration_s"),
        "start_s": start_s,
        "end_s": end_s,
        "curated": True,
        "extra": {
            key: without_credentials(text_of(value)) for key, value in values.items() if key not in _KNOWN_COLUMNS
        },
    }
    return add_texts(candidate, others) if others else candidate


def parse_kind(value: object) -> str | None:
    """Returns the kind that a row states; None if it states none. Raises RowError for a word that is not a kind."""
    kind = None if is_missing(value) else str(value).strip().lower()
    if kind not in (None, Kind.VIDEO.value, Kind.AUDIO.value):
        raise RowError(f"kind must be video or audio, not {value!r}")
    return kind


def _span(values: ListedRow) -> tuple[float | None, float | None]:
    start_s, end_s = _seconds(values, "start_s"), _seconds(values, "end_s")
    if end_s is not None and end_s <= (start_s or 0.0):
        raise RowError("end_s must be after start_s")
    return start_s, end_s


def _text(values: ListedRow, key: str) -> str:
    """Returns the text of a column; "" if it is missing. Raises RowError for a list or an object."""
    value = values.get(key, "")
    if isinstance(value, (list, dict)):
        raise RowError(f"{key} must be a text, not {str(value)[:80]}")
    return str(value)


def _check_imported_views(values: ListedRow) -> None:
    """Raises RowError if the row has texts from another dataset, but not in the form that `vidal import` writes."""
    if IMPORTED not in values:
        return
    try:
        views = json.loads(str(values[IMPORTED]))
        is_valid = all(isinstance(text, str) for texts in views.values() for text in texts)
    except (ValueError, AttributeError, TypeError, RecursionError):
        is_valid = False
    if not is_valid:
        raise RowError(f'{IMPORTED} must be JSON such as {{"video": ["a text"]}}')


def _seconds(values: ListedRow, key: str) -> float | None:
    if key not in values:
        return None
    try:
        return parse_seconds(values[key])
    except ValueError as error:
        raise RowError(f"{key} must be a number of seconds, 0 or more, not {values[key]!r}") from error
