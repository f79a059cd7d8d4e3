"""The commands of `vidal`. Exit codes: 0 done; 1 something failed that should have worked; 2 the input is wrong; 130 interrupted."""

from __future__ import annotations

import importlib
import sys

import click

from vidal import __version__
from vidal.errors import BalanceError, StorageError, TrainingError, UserError, VidalError

# Each command's file is imported when the command is run or its help is shown, so that `vidal --help` is quick.
COMMANDS = {
    "ablate": ("vidal.cli.ablate:ablate", "Says whether a shard, a view or a filter helped a small trained encoder."),
    "build-shard": ("vidal.cli.build:build_shard", "Builds shards N (0, 0-9 or 0,3,7) of a recipe into OUT."),
    "deduplicate": ("vidal.cli.dedup:deduplicate", "Marks copies across the shards of OUT again."),
    "evaluate": ("vidal.cli.evaluate:evaluate", "Measures an encoder on a benchmark, or prints the tables."),
    "export": ("vidal.cli.exchange:export", "Writes OUT in the layout of another loader."),
    "export-encoder": (
        "vidal.cli.train:export_encoder",
        "Writes an encoder in LanguageBind's layout or transformers'.",
    ),
    "filter": ("vidal.cli.build:filter_", "Decides again, from stored scores, which clips of OUT stay."),
    "clean": ("vidal.cli.build:clean", "Deletes the media of clips that were dropped or failed for good."),
    "migrate": ("vidal.cli.build:migrate", "Rewrites a dataset of an earlier schema version with the current columns."),
    "import": ("vidal.cli.exchange:import_", "Turns an annotation JSON in LanguageBind's layout into a catalogue."),
    "pack": ("vidal.cli.train:pack", "Packs a dataset for training."),
    "plan": (
        "vidal.cli.plan:plan",
        "Prints the stages, models and resources of a recipe, and what is missing here.",
    ),
    "report": ("vidal.cli.inspect:report", "Writes an HTML page for each shard."),
    "retry": ("vidal.cli.build:retry", "Tries failed candidates of OUT again."),
    "search-terms": ("vidal.cli.search_terms:search_terms", "Builds and shows the search-term database."),
    "signatures": ("vidal.cli.dedup:signatures", "Writes hashes and vectors of an evaluation set's media."),
    "train": ("vidal.cli.train:train", "Trains an encoder for each modality, bound to language."),
    "validate": ("vidal.cli.inspect:validate", "Checks every row, file and hash of OUT."),
}
# Old names, for one release.
RENAMED = {"proxy": "ablate"}


class _Commands(click.Group):
    """Imports a command's file only when the command is run or its help is shown."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in RENAMED:
            click.echo(f"vidal: the command {cmd_name} is now called {RENAMED[cmd_name]}", err=True)
            cmd_name = RENAMED[cmd_name]
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in sorted(COMMANDS.items())])


@click.command(cls=_Commands)
@click.version_option(__version__)
def cli() -> None:
    """Builds language-bound multimodal datasets, modelled on VIDAL-10M."""


def main() -> None:
    """The entry point. An error in the user's input becomes one line on standard error, and exit code 2."""
    try:
        cli(standalone_mode=False)
    except UserError as error:
        _fail(str(error), 2)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
    except click.UsageError as error:
        _fail(error.format_message(), 2)
    except (click.Abort, KeyboardInterrupt):
        _fail("stopped; the same command continues from here", 130)
    except BalanceError as error:
        _fail(f"not committed: {error}", 1)
    except TrainingError as error:
        _fail(f"training stopped: {error}", 1)
    except StorageError as error:
        _fail(f"stopped: {error}; finished work is kept, and the same command continues from here", 1)
    except VidalError as error:
        _fail(f"stopped: {error}", 1)


def _fail(message: str, code: int) -> None:
    click.echo(f"vidal: {' '.join(message.split())}", err=True)
    sys.exit(code)
