"""How commands print: lines and tables on standard output, 160 columns wide if it is not a terminal, and one last line of JSON."""

from __future__ import annotations

import json
import sys
from typing import Any

import click
from rich.console import Console, RenderableType


def show(what: RenderableType) -> None:
    width = None if sys.stdout.isatty() else 160
    Console(width=width, soft_wrap=isinstance(what, str), highlight=False, markup=False).print(what)


def show_json(summary: Any) -> None:
    click.echo(json.dumps(summary))
