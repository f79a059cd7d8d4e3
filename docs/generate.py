"""Writes docs/recipe.md and docs/columns.md from the settings and the schemas: `make docs`. A test compares them with the code."""

from __future__ import annotations

import sys
from pathlib import Path

from docs.pages.columns import columns_page
from docs.pages.recipe import recipe_page

FOLDER = Path(__file__).parent
PAGES = {"recipe.md": recipe_page, "columns.md": columns_page}


def main() -> int:
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
