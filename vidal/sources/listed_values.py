"""Reads the cells of a user's list. Times, hashtags and lists may be written in several ways, because any tool may have written them."""

from __future__ import annotations

import ast
import json
import math
import re
import warnings
from collections.abc import Iterable

from vidal.sources.text import parse_hashtags

_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)", re.ASCII)
_SECONDS = re.compile(r"\+?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_SEPARATORS = re.compile(r"[\s,;]+")
_BRACKETS = {"[": "]", "(": ")"}


class RowError(Exception):
    """A row of a list cannot be used. The message says why, in one line. It does not say which row."""


def is_missing(value: object) -> bool:
    """Returns whether a cell is empty: null, NaN or blank text."""
    return value is None or value != value or (isinstance(value, str) and not value.strip())


def parse_list(value: object) -> list[object] | None:
    """Returns the elements of a list, or of a text that is a JSON or Python list; None for anything else."""
    if isinstance(value, (list, tuple)):
        return list(value)
    text = value.strip() if isinstance(value, str) else ""
    if not text or _BRACKETS.get(text[0]) != text[-1]:
        return None
    literal = _parse_literal(text)
    return list(literal) if isinstance(literal, (list, tuple)) else None


def _parse_literal(text: str) -> object:
    """Returns the value of a JSON or Python literal; None if the text is neither."""
    try:
        value: object = json.loads(text)
        return value
    except (ValueError, RecursionError):
        pass
    try:
        with warnings.catch_warnings():  # Python warns about backslashes in the user's texts.
            warnings.simplefilter("ignore")
            literal: object = ast.literal_eval(text)
            return literal
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None


def parse_seconds(value: object) -> float:
    """Returns the seconds of a number, or of a clock time such as "1:02:03.5" or "00:00:01,500".

    Raises ValueError for any other value, and for a negative number.
    """
    text = str(value).strip()
    if clock := _CLOCK.fullmatch(text):
        hours, minutes, seconds = clock.groups()
        return int(hours or 0) * 3600 + int(minutes) * 60 + float(seconds.replace(",", "."))
    if isinstance(value, bool) or not _SECONDS.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError(f"not a time: {text[:80]!r}; write seconds, or a clock time such as 1:02:03.5")
    return float(text)


def parse_texts(value: object) -> list[str]:
    """Returns the texts of a cell, which holds one text, a list of texts, or such a list written as text. An empty cell has none."""
    if is_missing(value):
        return []
    items = parse_list(value)
    if items is None or not all(isinstance(item, str) for item in items):
        return [text_of(value)]
    return [str(item) for item in items if not is_missing(item)]


def parse_tags(value: object, texts: Iterable[str]) -> list[str]:
    """Returns hashtags in lower case without '#'. value: a list or a text of tags; if missing, `texts` are searched for tags."""
    if is_missing(value):
        return parse_hashtags(*texts)
    items = parse_list(value)
    tags = _SEPARATORS.split(text_of(value)) if items is None else [str(item) for item in items if not is_missing(item)]
    return list(dict.fromkeys(bare for tag in tags if (bare := tag.strip().lstrip("#＃").strip().lower())))


def text_of(value: object) -> str:
    """Returns a value as text. A list or dict is written as JSON."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, (list, dict)) else str(value)
