"""Validates and opens a recipe's collection (media that the user has already), and finds the source that can read a path or URI."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Annotated

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import BeforeValidator, SerializeAsAny

from vidal.errors import UserError
from vidal.sources.media_cells import media_column
from vidal.sources.registry import COLLECTIONS
from vidal.sources.settings import CollectionSettings
from vidal.storage.storage import Storage

if TYPE_CHECKING:
    from vidal.config.recipe import Recipe
    from vidal.sources.collection import Collection

_ENDINGS = {".tar": "webdataset", ".parquet": "parquet", ".arrow": "arrow"}
# What save_to_disk of the datasets library writes beside the data of one dataset, and beside the folders of several.
_SAVED = {"state.json", "dataset_dict.json"}


def parse_collection(value: object) -> object:
    """Validates the collection of a recipe, and returns it as the settings of its source.

    Raises ValueError for an unknown source, and pydantic.ValidationError for an unknown key or a wrong value. A value that is not a
    mapping is returned unchanged: pydantic, which calls this function, refuses such a value afterwards.
    """
    if not isinstance(value, dict):
        return value
    name = value.get("source")
    if name not in COLLECTIONS:
        raise ValueError(f"unknown source {name!r}: choose from {', '.join(sorted(COLLECTIONS))}")
    return COLLECTIONS[name].load().settings.model_validate(value)


# The collection as a field of the recipe: it is read with the settings of its source, and dumped with all of their keys.
SourceCollection = Annotated[SerializeAsAny[CollectionSettings], BeforeValidator(parse_collection)]


def open_collection(recipe: Recipe) -> Collection | None:
    """Returns the collection of a recipe, if it has one. Raises UserError if the folder or bucket with its media cannot be opened."""
    settings = recipe.collection
    return COLLECTIONS[settings.source].load()(settings, recipe) if settings else None


def source_for(uri: str) -> str:
    """Returns the name of the source that reads a path or URI.

    The ending of a file decides: .tar, .parquet or .arrow. For a folder, the files in it and in its subfolder `data` decide: tar archives
    before Arrow files, and these before Parquet tables that hold media. If it has none of them, the source is `folder`.
    Raises UserError if the store cannot be opened.
    """
    ending = PurePosixPath(uri).suffix.lower()
    if ending in _ENDINGS:
        return _ENDINGS[ending]
    storage = Storage(uri)
    # The Hugging Face hub keeps tables in `data`.
    names = [*storage.names(""), *(f"data/{name}" for name in storage.names("data"))]
    if any(name.lower().endswith(".tar") for name in names):
        return _ENDINGS[".tar"]
    if _SAVED & set(names) or any(name.lower().endswith(".arrow") for name in names):
        return _ENDINGS[".arrow"]
    tables = [name for name in names if name.lower().endswith(".parquet")]
    # A table may also be mere metadata: video2dataset, for example, writes such tables beside its folders of media.
    return _ENDINGS[".parquet"] if tables and _holds_media(storage, tables[0]) else "folder"


def _holds_media(storage: Storage, table: str) -> bool:
    """Returns whether a table has a column of media."""
    try:
        with storage.fs.open(storage.path(table), "rb") as file:
            media_column(pq.read_schema(file), None)
    except (UserError, OSError, pa.ArrowException):
        return False
    return True
