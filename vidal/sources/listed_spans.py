"""Divides a row of a list into its spans: a column holds [[start, end], ...], and columns of as many elements go along with it."""

from __future__ import annotations

from vidal.sources.catalogue_files import ListedRow
from vidal.sources.listed_values import RowError, is_missing, parse_list, parse_seconds

# Columns of spans, as video2dataset and vidal call them.
_SPAN_COLUMNS = ("clips", "spans")
# Panda-70M's names. In other lists they may be a time of another kind, and are then only kept.
_PERHAPS_SPANS = ("timestamp", "timestamps")
_TEXTS = ("title", "caption")


def split_spans(row: ListedRow) -> list[ListedRow | RowError]:
    """Returns the row once for each of its spans, or unchanged if it has none. A span that is wrong is an error in its place.

    An element of a list that is as long as the list of spans belongs to its span, as in Panda-70M: captions, scores. Raises RowError.
    """
    column = next((name for name in _SPAN_COLUMNS if name in row and not is_missing(row[name])), None)
    spans = _spans(row[column]) if column else None
    if column and spans is None:
        raise RowError(f"{column} must be [[start, end], ...], not {str(row[column])[:80]!r}")
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
    """Returns the spans of a cell: of a list, of a list that is written as text, or of lines such as "00:00:01,500 --> 00:00:04,000"."""
    spans = parse_list(value)
    if spans is None and isinstance(value, str) and "-->" in value:
        return [line for line in value.splitlines() if line.strip()]
    return spans


def _ends(span: object) -> list[object] | None:
    """Returns start and end of a span; None if it is not a pair."""
    pair = span.split("-->") if isinstance(span, str) else span
    return list(pair) if isinstance(pair, (list, tuple)) and len(pair) == 2 else None


def _lists_along(others: ListedRow, count: int) -> dict[str, list[object]]:
    """Returns the columns with an element for each span. Raises RowError for another number of captions than of spans."""
    along = {}
    for key, cell in others.items():
        cells = parse_list(cell)
        if cells is None or (key == "hashtags" and not any(isinstance(each, (list, tuple)) for each in cells)):
            continue  # Plain hashtags are those of the whole video.
        if len(cells) == count:
            along[key] = cells
        elif key in _TEXTS and count > 1:
            raise RowError(f"{count} spans, but {len(cells)} texts in {key}")
    return along


def _span_row(row: ListedRow, span: object) -> ListedRow | RowError:
    ends = _ends(span)
    try:
        if ends:
            return {**row, "start_s": parse_seconds(ends[0]), "end_s": parse_seconds(ends[1])}
    except ValueError:
        pass
    return RowError(f"a span must be [start, end] in seconds or as 00:00:01.500, not {str(span)[:80]!r}")
