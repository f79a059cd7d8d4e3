"""Prompts: versioned files in pipelines/prompts/. Every caption keeps the hash of its prompt."""

from __future__ import annotations

import string
from pathlib import Path

from vidal import ids
from vidal.config import packaged_files
from vidal.errors import UserError


def read(name: str, known: frozenset[str]) -> str:
    """Returns the text of a prompt file. name: a path if it has a slash, else the name of a file in pipelines/prompts.

    known: the placeholders that the text may have. Raises UserError if the file is missing, is not UTF-8, or has an unmatched brace or
    an unknown placeholder.
    """
    path = Path(name) if "/" in name else packaged_files.folder("pipelines") / "prompts" / name
    if not path.is_file():
        raise UserError(f"prompt {name}: no such file; give a path, or the name of a file in pipelines/prompts")
    try:
        text = path.read_text(encoding="utf-8").strip()
        fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except UnicodeError as error:
        raise UserError(f"prompt {name}: {error}; save the file as UTF-8") from error
    except ValueError as error:
        raise UserError(f"prompt {name}: {error}; write a literal brace twice") from error
    if unknown := sorted(fields - known):
        raise UserError(
            f"prompt {name}: unknown placeholder {{{unknown[0]}}}; known are {', '.join(sorted(known)) or 'none'}"
        )
    return text


def digest(text: str) -> str:
    return ids.sha256(text)
