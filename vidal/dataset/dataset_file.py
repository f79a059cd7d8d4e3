"""_dataset.json says which recipe a dataset belongs to. It is written once; the results of the shards are in their summaries."""

from __future__ import annotations

import json
from typing import TypedDict, cast

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.errors import UserError
from vidal.storage import layout
from vidal.storage.storage import Storage

# The version of the way in which stored work is identified. Version 1 used hashes of the code; its _dataset.json has no work_version.
WORK_VERSION = 2


class Identity(TypedDict):
    """What a dataset is built from. recipe: its name. catalogue: the file or folder name of the recipe's catalogue or collection."""

    recipe: str
    catalogue: str | None


class DatasetFile(TypedDict):
    """The content of _dataset.json.

    originals: the folder or bucket of the user's own media from which the dataset is built; None for any other dataset.
    """

    identity: Identity
    originals: str | None
    schema_version: str
    work_version: int


def claim(storage: Storage, recipe: Recipe) -> None:
    """Creates a dataset of this recipe in an empty storage. If the storage holds a dataset, checks that it is one of this recipe.

    Raises UserError, and changes nothing, in three cases:

    - The storage holds files, but no dataset.
    - The storage holds a dataset of another recipe, catalogue or collection.
    - The storage holds a dataset that this version of vidal cannot continue.
    """
    catalogue = recipe.listing.rstrip("/").rsplit("/", 1)[-1] if recipe.listing else None
    identity: Identity = {"recipe": recipe.name, "catalogue": catalogue}
    originals = recipe.collection.uri if recipe.collection and recipe.collection.has_originals else None
    if not storage.exists(layout.DATASET):
        if storage.names(""):
            raise UserError(f"{storage.uri} holds files and is not a vidal dataset: choose an empty or new --out")
        storage.check_writable()
        dataset: DatasetFile = {
            "identity": identity,
            "originals": originals,
            "schema_version": schema.SCHEMA_VERSION,
            "work_version": WORK_VERSION,
        }
        storage.create(
            layout.DATASET, (json.dumps(dataset, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()
        )
    # Read back, because another process may have created it first.
    dataset = read_dataset(storage)
    stored = dataset["identity"]
    if stored == identity and dataset.get("originals") != originals:
        raise UserError(
            f"{storage.uri} was built with the media folder {dataset.get('originals') or '(none)'}, but would now be built with "
            f"the media folder {originals or '(none)'}: choose another --out"
        )
    if stored != identity:
        raise UserError(f"{storage.uri} was built with {_named(stored)}, not {_named(identity)}: choose another --out")


def read_dataset(storage: Storage) -> DatasetFile:
    """Returns the content of _dataset.json, for commands that continue stored work.

    Raises UserError if OUT is not a dataset, or if this version of vidal cannot continue the stored work.
    """
    dataset = read_dataset_or_fail(storage)
    if dataset.get("work_version") != WORK_VERSION:
        raise UserError(
            f"{storage.uri} was built by a version of vidal whose work this version cannot continue. It can still be read, validated "
            "and exported; to build, choose another --out"
        )
    return dataset


def read_dataset_or_fail(storage: Storage) -> DatasetFile:
    """Returns the content of _dataset.json. Raises UserError if OUT is not a dataset, or has another schema version."""
    try:
        dataset = cast("DatasetFile", json.loads(storage.read(layout.DATASET)))
    except FileNotFoundError as error:
        raise UserError(
            f"{storage.uri} is not a vidal dataset, because it has no {layout.DATASET}: give the folder of a dataset"
        ) from error
    version = dataset["schema_version"]
    if version != schema.SCHEMA_VERSION:
        remedy = f"run vidal migrate {storage.uri}" if int(version) < int(schema.SCHEMA_VERSION) else "update vidal"
        raise UserError(
            f"{storage.uri} has schema version {version}, but this version of vidal needs {schema.SCHEMA_VERSION}: {remedy}"
        )
    return dataset


def _named(identity: Identity) -> str:
    catalogue = f" on catalogue {identity['catalogue']}" if identity["catalogue"] else ""
    return f"recipe {identity['recipe']}{catalogue}"
