"""Reads sidecars, the files beside a media file that say what it shows: `.json`, `.txt`, `.srt` and `.vtt`, in a folder or an archive."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import cast

from vidal import ids
from vidal.extra import SUBTITLE, SUBTITLE_AUTOMATIC, SUBTITLE_CUES
from vidal.records import Candidate
from vidal.sources.catalogue import candidate_of
from vidal.sources.catalogue_files import ListedRow, trimmed
from vidal.sources.listed_spans import split_spans
from vidal.sources.listed_values import RowError, is_missing, parse_texts, text_of
from vidal.sources.listing import RefusedRow
from vidal.sources.subtitle_files import read_cues

VIDEOS = {
    ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".flv", ".wmv", ".ogv", ".3gp",
    ".gif",
}  # fmt: skip
SOUNDS = {".mp3", ".m4a", ".aac", ".flac", ".wav", ".ogg", ".oga", ".opus", ".wma", ".aif", ".aiff"}
MEDIA = VIDEOS | SOUNDS
PICTURES = {".jpg", ".jpeg", ".png", ".webp"}
# What follows the stem of the media file in the name of a sidecar: "json", "info.json" (yt-dlp), "en.vtt", "txt".
SIDECAR = re.compile(r"(?:info\.)?json|txt|(?:[a-z]{2,3}(?:-[\w-]+)?\.)?(?:srt|vtt)", re.I | re.ASCII)
SIDECAR_MAX_BYTES = 2**24
# Longer values of a sidecar are left out: such a value, for example yt-dlp's list of formats, says nothing about the pictures.
_VALUE_MAX = 2_000
# Control characters, characters that end a line of text, and characters that UTF-8 cannot encode.
_UNFIT = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_ALIASES = {"license": "licence", "webpage_url": "url"}
_SPANS = ("clips", "spans", "start_s", "end_s", "duration_s")


def row_of(sidecars: Mapping[str, bytes], columns: Mapping[str, str]) -> ListedRow | RowError:
    """Returns what the sidecars of a media file say, as a row of a list; a RowError if one of them cannot be used.

    sidecars: the content of each sidecar, by the part of its name that follows the stem of the media file, such as "json" or "en.vtt".
    columns: {vidal's name of a column: the user's name}, for JSON sidecars that use other names.
    """
    try:
        return _row_of(sidecars, columns)
    except RowError as error:
        return error


def _row_of(sidecars: Mapping[str, bytes], columns: Mapping[str, str]) -> ListedRow:
    row: ListedRow = {}
    texts: list[str] = []
    for rest, content in sorted(sidecars.items(), key=lambda item: (item[0].count("."), item[0].lower())):
        kind = rest.lower().rpartition(".")[2]
        if kind == "json":
            row = {**_parse_json(content, rest), **row}
        elif kind == "txt":
            texts += parse_texts(" ".join(content.decode("utf-8-sig", "replace").split()))
        elif SUBTITLE not in row and SUBTITLE_CUES not in row and (cues := read_cues(content)):
            row |= {SUBTITLE_CUES: cues, SUBTITLE_AUTOMATIC: "false"}
    named = rename(row, columns)
    if texts:
        named["caption"] = [*parse_texts(named.get("caption")), *texts]
    return named


def rename(row: ListedRow, columns: Mapping[str, str]) -> ListedRow:
    """Returns the row under vidal's column names, without missing values. columns: maps vidal's names to the user's.

    If the row has a `webpage_url`, as yt-dlp calls the address of a page, it becomes the `url`, even if the row also has a `url`.
    """
    ours = {**_ALIASES, **{theirs: name for name, theirs in columns.items()}}
    renamed = {ours.get(name, name): value for name, value in row.items() if not is_missing(value)}
    return {**renamed, **{ours[name]: row[name] for name in ours if not is_missing(row.get(name))}}


def _parse_json(content: bytes, name: str) -> ListedRow:
    try:
        row = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise RowError(f"its sidecar .{name} is not JSON: {' '.join(str(error).split())[:200]}") from error
    if not isinstance(row, dict):
        raise RowError(f"its sidecar .{name} must be a JSON object")
    return trimmed({key: value for key, value in row.items() if key in _SPANS or len(text_of(value)) <= _VALUE_MAX})


def listed_media(
    source: str, location: str, row: ListedRow | RowError, is_cut: bool = False
) -> Iterator[Candidate | RefusedRow]:
    """Yields the candidate of a media file or, if its row names spans, one candidate for each span.

    Yields a RefusedRow in place of a span that cannot be used, and a single RefusedRow if the whole row cannot be used.

    source: the name of the source. location: where the bytes of the file are. row: what is known about the file. is_cut: whether the file
    is already cut to its span; then the times in the row are only kept in `extra`.
    """
    try:
        if isinstance(row, RowError):
            raise row
        candidates = list(_candidates(source, location, row, is_cut))
    except RowError as error:
        yield RefusedRow(repr(location)[1:-1], str(error))
        return
    for number, candidate in enumerate(candidates, start=1):
        where = f"{location}, span {number}" if len(candidates) > 1 else location
        yield RefusedRow(where, str(candidate)) if isinstance(candidate, RowError) else candidate


def _candidates(source: str, location: str, row: ListedRow, is_cut: bool) -> Iterator[Candidate | RowError]:
    if _UNFIT.search(location):
        raise RowError("its name has control characters or is not UTF-8: rename it")
    kept = {name: text_of(row[name]) for name in _SPANS if is_cut and not is_missing(row.get(name))}
    described = {name: value for name, value in row.items() if name not in kept}
    page = text_of(described.get("url") or "")
    url = page if page.startswith(("http://", "https://")) else location
    for span in split_spans({**described, "url": url}):
        yield span if isinstance(span, RowError) else _candidate_of(source, location, span, kept)


def _candidate_of(source: str, location: str, row: ListedRow, kept: dict[str, str]) -> Candidate | RowError:
    try:
        candidate = candidate_of(row)
    except RowError as error:
        return error
    changed = {
        "candidate_id": ids.candidate_id(source, location, candidate["start_s"], candidate["end_s"]),
        "source": source,
        "platform": source,
        "source_id": location,
        "media_url": location,
        "extra": {**candidate["extra"], **kept},
    }
    return cast("Candidate", {**candidate, **changed})
