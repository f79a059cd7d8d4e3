"""_dataset.json: whose dataset a folder is, and what its shards came to."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from vidal import __version__, schema
from vidal.config.recipe import Recipe
from vidal.dataset.shard_report import ShardReport
from vidal.errors import UserError
from vidal.pipeline.stage import WorkIdentity
from vidal.storage import layout
from vidal.storage.storage import Storage

# How stored work names what made it. Version 1 held hashes of the code and has no entry in _dataset.json.
WORK_VERSION = 2


class Identity(TypedDict):
    """Identifies the owner of a dataset: a recipe and, if it was given one, a catalogue (the name of its file)."""

    recipe: str
    catalogue: str | None


def claim(storage: Storage, recipe: Recipe) -> None:
    """Makes OUT this recipe's dataset.

    Raises UserError, with nothing touched, where OUT is another recipe's dataset or holds something else.
    """
    catalogue = recipe.catalogue.rsplit("/", 1)[-1] if recipe.catalogue else None
    identity: Identity = {"recipe": recipe.name, "catalogue": catalogue}
    if storage.exists(layout.DATASET):
        stored = read_dataset(storage)["identity"]
        if stored != identity:
            raise UserError(
                f"{storage.uri} was built with {_named(stored)}, not {_named(identity)}: choose another --out"
            )
        return
    if storage.names(""):
        raise UserError(f"{storage.uri} holds files and is not a vidal dataset: choose an empty or new --out")
    storage.check_writable()
    dataset = {
        "identity": identity,
        "schema_version": schema.SCHEMA_VERSION,
        "work_version": WORK_VERSION,
        "shards": {},
    }
    storage.write(layout.DATASET, _json(dataset))


def read_dataset(storage: Storage) -> dict[str, Any]:
    """The content of _dataset.json, for commands that continue stored work.

    Raises UserError where the work is of a version of vidal that this one cannot continue.
    """
    dataset: dict[str, Any] = json.loads(storage.read(layout.DATASET))
    if dataset.get("work_version") != WORK_VERSION:
        raise UserError(
            f"{storage.uri} was built by a vidal whose work this one cannot continue: it can be read, validated and exported, "
            "but to build on, choose another --out"
        )
    return dataset


def _named(identity: Identity) -> str:
    catalogue = f" on catalogue {identity['catalogue']}" if identity["catalogue"] else ""
    return f"recipe {identity['recipe']}{catalogue}"


def read_dataset_or_fail(storage: Storage) -> dict[str, Any]:
    """The content of _dataset.json of any version, for commands that only read. Raises UserError where OUT is not a dataset."""
    if not storage.exists(layout.DATASET):
        raise UserError(f"{storage.uri} is not a vidal dataset: it has no {layout.DATASET}")
    dataset: dict[str, Any] = json.loads(storage.read(layout.DATASET))
    return dataset


def enter_shard(storage: Storage, recipe: Recipe, made_by: WorkIdentity, report: ShardReport) -> None:
    """Writes what a shard came to, the recipe, and the sums over all shards."""
    dataset = read_dataset(storage)
    dataset["shards"][str(report.shard)] = {
        "rows": report.rows,
        "funnel": report.funnel,
        "reasons": report.reasons,
        "views": report.views,
        "tokens": report.tokens,
        "versions": made_by.versions,
        "stale": report.stale,
    }
    dataset["totals"] = {
        kind: sum(shard["rows"].get(kind, 0) for shard in dataset["shards"].values()) for kind in ("video", "audio")
    }
    dataset["vidal"] = __version__
    dataset["recipe"] = recipe.model_dump(mode="json")
    storage.write(layout.DATASET, _json(dataset))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
