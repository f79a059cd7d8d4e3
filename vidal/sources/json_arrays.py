"""Reads the elements of a JSON array one after the other, so that a list of any length needs memory only for its longest element."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import IO

_BLOCK = 2**20
_ELEMENT_MAX = 2**26
# A literal, number or escape that ends this close to the end of the buffer may go on in the text that has not been read yet.
_UNCERTAIN = 16
_BLANK = re.compile(r"[ \t\r\n]*")


def elements(text: IO[str], start: str) -> Iterator[tuple[str, object]]:
    """Yields (JSON text, value) for each element of an array.

    start: the beginning of the array, which was already read from `text`. Its first character is the opening bracket.
    Raises ValueError, or its subclass json.JSONDecodeError, if the text is not a JSON array. The elements before the mistake are yielded
    first.
    """
    buffer, at = start[1:], 0
    is_first = True
    while True:
        buffer, at = _skip_blank(text, buffer, at)
        if buffer[at : at + 1] == "]":
            buffer, at = _skip_blank(text, buffer, at + 1)
            if at < len(buffer):
                raise ValueError(f"more text after the end of the array: {buffer[at : at + 40]!r}")
            return
        if not is_first:
            if buffer[at : at + 1] != ",":
                raise ValueError(f"a comma or a bracket is missing before {buffer[at : at + 40]!r}")
            buffer, at = _skip_blank(text, buffer, at + 1)
        value, buffer, at, end = _decode(text, buffer, at)
        yield buffer[at:end], value
        at, is_first = end, False


def _skip_blank(text: IO[str], buffer: str, at: int) -> tuple[str, int]:
    """Returns the buffer, refilled if necessary, and the index of the next non-blank character in it; ("", 0) at the end of the text."""
    while True:
        blank = _BLANK.match(buffer, at)
        at = blank.end() if blank else at
        if at < len(buffer):
            return buffer, at
        buffer, at = text.read(_BLOCK), 0
        if not buffer:
            return "", 0


def _decode(text: IO[str], buffer: str, at: int) -> tuple[object, str, int, int]:
    """Decodes the value that begins at buffer[at]. If the buffer ends before the value does, reads more from `text`.

    Returns (value, buffer, start, end). The JSON source of the value is buffer[start:end] of the returned buffer.
    """
    decoder = json.JSONDecoder()
    while True:
        failure: json.JSONDecodeError | None = None
        try:
            value, end = decoder.raw_decode(buffer, at)
            if end + _UNCERTAIN < len(buffer) or isinstance(value, (str, list, dict)):
                return value, buffer, at, end
        except json.JSONDecodeError as error:
            failure, end = error, at
            is_open = error.msg.startswith("Unterminated string") or error.pos + _UNCERTAIN > len(buffer)
            if not is_open or len(buffer) - at > _ELEMENT_MAX:
                raise
        except RecursionError as error:
            raise ValueError("an element nests too deeply") from error
        more = text.read(max(_BLOCK, len(buffer) - at))
        if not more and failure:
            raise failure
        if not more:
            return value, buffer, at, end
        buffer, at = buffer[at:] + more, 0
