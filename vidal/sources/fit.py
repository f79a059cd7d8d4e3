"""Converts what a site states about a video to values that the columns of a candidate can hold. All sources share this."""

from __future__ import annotations

import math
from typing import cast

from vidal.records import Candidate
from vidal.schema import encodable, without_credentials

# Longer texts are cut, so that a description cannot swell the tables. No title is this long.
_TEXT_MAX = 100_000
_ADDRESSES = {"url", "media_url", "source_id"}
_NUMBERS = {"duration_s", "start_s", "end_s"}
_LISTS = {"hashtags", "search_terms"}
# Columns that vidal or the user's list fills. They are not changed.
_OURS = {"curated", "shard", "candidate_id", "source"}


def fit(candidate: Candidate) -> Candidate:
    """Returns the candidate with values that its columns can hold. A number or text that cannot be made to fit becomes null.

    Texts are made encodable in UTF-8 and cut if they are very long, and addresses lose their passwords. Numbers must be finite and at
    least 0.
    """
    return cast(Candidate, {key: value if key in _OURS else _fit_value(key, value) for key, value in candidate.items()})


def fit_number(value: object) -> float | None:
    """Returns a number as a float if it is finite and at least 0; None for anything else."""
    if not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:  # The integer has hundreds of digits.
        return None
    return number if math.isfinite(number) and number >= 0 else None


def _fit_value(key: str, value: object) -> object:
    if key in _NUMBERS:
        return fit_number(value)
    if key in _LISTS:
        items = value if isinstance(value, (list, tuple)) else []
        return [text for item in items if (text := _fit_text(item))]
    if key == "extra":
        items = dict(value or {}).items()  # type: ignore[call-overload]
        return {
            str(encodable(name)): without_credentials(text)
            for name, each in items
            if (text := _fit_text(each)) is not None
        }
    text = _fit_text(value)
    return without_credentials(text) if text and key in _ADDRESSES else text


def _fit_text(value: object) -> str | None:
    """Returns a text, or a number as text; None for null and for objects. A long text is cut."""
    if not isinstance(value, (str, int, float)):
        return None
    text: str = encodable(value if isinstance(value, str) else str(value))
    return text[:_TEXT_MAX]
