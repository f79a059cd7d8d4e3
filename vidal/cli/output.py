"""How commands print: lines and tables on standard output, and with --json one last line of JSON.

Tables are as wide as the terminal, or 160 columns wide if standard output is not a terminal.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console, RenderableType


def show(what: RenderableType) -> None:
    width = None if sys.stdout.isatty() else 160
    Console(width=width, soft_wrap=isinstance(what, str), highlight=False, markup=False).print(what)


def show_json(summary: Any) -> None:
    click.echo(json.dumps(summary))


def python_line(code: str) -> str:
    """Returns a shell command that runs the code with the current Python. If Python is below the current folder, its path is relative."""
    python = Path(sys.executable)
    own = python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python
    return f'{own} -c "{code}"'
