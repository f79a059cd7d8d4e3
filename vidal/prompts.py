"""Prompts: versioned files in pipelines/prompts/. Every caption keeps the hash of the one that made it."""

from __future__ import annotations

import string
from pathlib import Path

from vidal import ids, resources
from vidal.errors import UserError


def read(name: str, known: frozenset[str]) -> str:
    """A prompt file's text. Raises UserError for a missing file or a placeholder that nothing fills."""
    path = Path(name) if "/" in name else resources.folder("pipelines") / "prompts" / name
    if not path.is_file():
        raise UserError(f"prompt {name}: no such file in pipelines/prompts")
    text = path.read_text(encoding="utf-8").strip()
    fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    if unknown := sorted(fields - known):
        raise UserError(
            f"prompt {name}: unknown placeholder {{{unknown[0]}}}; known are {', '.join(sorted(known)) or 'none'}"
        )
    return text


def digest(text: str) -> str:
    return ids.sha256(text)
