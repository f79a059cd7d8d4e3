"""Splits a row that lists several spans of a video or sound into one row per span.

One column has all spans as [[start, end], ...], in seconds or as 00:00:01.500. Another column, such as a title, may have several values,
one per span.
"""

from __future__ import annotations

from vidal.sources.catalogue_files import ListedRow
from vidal.sources.listed_values import RowError, is_missing, parse_list, parse_seconds

# Columns of spans, as video2dataset and vidal call them.
_SPAN_COLUMNS = ("clips", "spans")
# Panda-70M's names. In other lists, a column of this name may hold times of another kind; it is then kept in `extra` unread.
_PERHAPS_SPANS = ("timestamp", "timestamps")
_TEXTS = ("title", "caption")


def split_spans(row: ListedRow) -> list[ListedRow | RowError]:
    """Returns one row for each span. If a span is not valid, the result has a RowError instead of the span's row.

    If the row has no list of spans, the result is this row alone, unchanged.
    Another column, such as Panda-70M's captions, may hold a list with one element for each span. Each span then gets its own element.
    If the whole row cannot be used, a RowError is raised.
    """
    column = next((name for name in _SPAN_COLUMNS if name in row and not is_missing(row[name])), None)
    spans = _spans(row[column]) if column else None
    if column and spans is None:
        raise RowError(f"{column} must be [[start, end], ...], not {str(row[column])[:80]!r}")
    if column and not spans:
        raise RowError(
            f"{column} is an empty list: give at least one [start, end], or leave the cell empty for the whole file"
        )
    if spans is None:
        column, spans = _perhaps_spans(row)
    if spans is None:
        return [row]
    others = {key: cell for key, cell in row.items() if key != column}
    along = _lists_along(others, len(spans))
    return [
        _span_row({**others, **{key: cells[index] for key, cells in along.items()}}, span)
        for index, span in enumerate(spans)
    ]


def _perhaps_spans(row: ListedRow) -> tuple[str | None, list[object] | None]:
    for name in _PERHAPS_SPANS:
        spans = _spans(row[name]) if name in row else None
        if spans and all(_ends(span) for span in spans):
            return name, spans
    return None, None


def _spans(value: object) -> list[object] | None:
    """Returns the list of spans in a cell, or None if it has none.

    The cell may hold a list, a list written as text, or lines such as "00:00:01,500 --> 00:00:04,000".
    """
    spans = parse_list(value)
    if spans is None and isinstance(value, str) and "-->" in value:
        return [line for line in value.splitlines() if line.strip()]
    return spans


def _ends(span: object) -> list[object] | None:
    """Returns the start and the end of a span; None if it is not a pair."""
    pair = span.split("-->") if isinstance(span, str) else span
    return list(pair) if isinstance(pair, (list, tuple)) and len(pair) == 2 else None


def _lists_along(others: ListedRow, count: int) -> dict[str, list[object]]:
    """Returns the columns that hold a list with one element per span, as {name: list}. count: the number of spans.

    The column `hashtags` is returned only if it is a list of lists. The hashtags of a plain list are meant for every span.
    If there are several spans and a list of titles or captions has another length, raises RowError.
    """
    along = {}
    for key, cell in others.items():
        cells = parse_list(cell)
        if cells is None or (key == "hashtags" and not any(isinstance(each, (list, tuple)) for each in cells)):
            continue  # Plain hashtags are those of the whole video.
        if len(cells) == count:
            along[key] = cells
        elif key in _TEXTS and count > 1:
            raise RowError(
                f"{count} spans, but {len(cells)} texts in {key}: give one text for each span, or a single text for all"
            )
    return along


def _span_row(row: ListedRow, span: object) -> ListedRow | RowError:
    ends = _ends(span)
    try:
        if ends:
            return {**row, "start_s": parse_seconds(ends[0]), "end_s": parse_seconds(ends[1])}
    except ValueError:
        pass
    return RowError(f"a span must be [start, end] in seconds or as 00:00:01.500, not {str(span)[:80]!r}")
