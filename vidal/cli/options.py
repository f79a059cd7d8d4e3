"""Options that several commands share."""

from __future__ import annotations

import click

recipe = click.option("--recipe", default="embedded", show_default=True, help="A recipe of pipelines/, or a YAML file.")
overrides = click.option(
    "--set", "overrides", multiple=True, metavar="KEY.PATH=VALUE", help="Overrides a key of the recipe."
)
as_json = click.option("--json", "as_json", is_flag=True, help="Prints a machine-readable summary as the last line.")
collection = click.option(
    "--from",
    "collection",
    help="Media that you have already: a folder or bucket, tables (Parquet, Arrow), WebDataset archives; a path, a glob or a URI.",
)
allow_hosts = click.option(
    "--allow-host", "allow_hosts", multiple=True, help="Allows a host in a private or loopback range."
)
verbose = click.option("--verbose", is_flag=True, help="Writes what every stage does to standard error.")
log_json = click.option("--log-json", is_flag=True, help="Like --verbose, but as one JSON object per line.")
database = click.option("--db", default="search_terms/db", show_default=True, help="Folder or URI of terms.parquet.")


def renamed(old: str, old_value: str | None, new: str, new_value: str | None) -> str | None:
    """Returns the value of a renamed option, given under its new or its old name. Warns if the old name is used."""
    if old_value is None:
        return new_value
    click.echo(f"vidal: the option {old} is now called {new}", err=True)
    return new_value or old_value


def from_settings(collection: str | None) -> tuple[str, ...]:
    """Turns the value of --from into overrides of the recipe, in the form of --set. None gives no overrides.

    Raises UserError if the folder or bucket cannot be opened.
    """
    if collection is None:
        return ()
    import json

    from vidal.sources.collections import source_for
    from vidal.storage.storage import absolute_uri

    uri = absolute_uri(collection)
    return (f"collection.uri={json.dumps(uri)}", f"collection.source={source_for(uri)}")


def log_settings(verbose: bool, log_json: bool) -> tuple[str, ...]:
    """Shows the log if an option asks for it. Returns overrides of the recipe that make the workers send their log messages."""
    if not (verbose or log_json):
        return ()
    from vidal.pipeline.logs import show_log

    show_log("info", log_json)
    return ("engine.log_level=info",)
