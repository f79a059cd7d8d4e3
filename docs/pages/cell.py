"""A cell of a table in Markdown."""

from __future__ import annotations

import re


def cell(text: str) -> str:
    """Returns a text as a cell of a table has it, with links to the pages that it names."""
    linked = re.sub(r"docs/(\w+\.md)", r"[\1](\1)", " ".join(text.split()))
    return linked.replace("|", "\\|")
