"""The command line: quick to answer, old names for one release, and nothing heavy imported before it is needed."""

import subprocess
import sys

import click
import pytest

from tests.conftest import ROOT, vidal
from vidal.cli.main import COMMANDS, cli

HEAVY = ("torch", "ray", "pyarrow", "pandas", "transformers", "yt_dlp")


def modules_after(program: str) -> set[str]:
    command = [sys.executable, "-W", "error", "-c", f"import sys\n{program}\nprint(*sys.modules)"]
    printed = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True).stdout
    return set(printed.split())


def test_importing_vidal_imports_nothing_heavy():
    assert modules_after("import vidal; vidal.__all__").isdisjoint(HEAVY)


def test_the_help_imports_nothing_that_takes_long():
    program = "from vidal.cli.main import cli\ntry:\n    cli(['--help'])\nexcept SystemExit:\n    pass"
    assert modules_after(program).isdisjoint(set(HEAVY) - {"pyarrow"})


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_that_the_help_lists_has_a_help_of_its_own(name):
    command = cli.get_command(click.Context(cli), name)
    assert isinstance(command, click.Command) and command.name == name and command.help


def test_the_old_name_of_a_command_and_of_an_option_still_work_with_a_warning():
    assert "the command proxy is now called ablate" in vidal("proxy", "--help").stderr
    done = vidal(
        "evaluate", "--task", "msrvtt", "--data", "nowhere", "--checkpoint", "recipe:embedded", "--seen", "smell"
    )
    assert "the option --seen is now called --query" in done.stderr and "--query: no modality 'smell'" in done.stderr
    assert done.returncode == 2


def test_an_unknown_command_is_one_line_and_exit_code_2():
    done = vidal("bild-shard")
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1 and "bild-shard" in done.stderr
