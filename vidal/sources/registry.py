"""Which sources there are. To add one: write a file with a source and its settings, and add an entry to SOURCES."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import BeforeValidator, SerializeAsAny

from vidal.sources.settings import Search

if TYPE_CHECKING:
    from vidal.records import Row
    from vidal.sources.source import Source


@dataclass(frozen=True)
class SourceEntry:
    """An entry of SOURCES. path: "module:Class"; the module is imported when the source or its settings are needed."""

    path: str

    @property
    def module(self) -> str:
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        return self.path.partition(":")[2]

    def load(self) -> type[Source]:
        source: type[Source] = getattr(importlib.import_module(self.module), self.name)
        return source


SOURCES: dict[str, SourceEntry] = {
    "ytdlp": SourceEntry("vidal.sources.ytdlp:YtDlp"),
    "freesound": SourceEntry("vidal.sources.freesound:Freesound"),
    "peertube": SourceEntry("vidal.sources.peertube:PeerTube"),
    "archive": SourceEntry("vidal.sources.archive:Archive"),
}


def parse_search(value: object) -> object:
    """Validates one search of a recipe with the settings of its source.

    Raises pydantic.ValidationError for an unknown source, an unknown key or a wrong value. Returns a value that is not a
    mapping as it is: pydantic then says what it must be.
    """
    if not isinstance(value, dict):
        return value
    name = value.get("source", Search.model_fields["source"].default)
    if not isinstance(name, str) or name not in SOURCES:
        return Search.model_validate({"source": name})
    return SOURCES[name].load().settings.model_validate(value)


# A search as a field of the recipe: read with its source's settings, and dumped with all of their keys.
SourceSearch = Annotated[SerializeAsAny[Search], BeforeValidator(parse_search)]


def search_name(dumped: Row) -> str:
    """The name of a search from the recipe of a stored dataset. An earlier version may have dumped keys of other sources."""
    settings = SOURCES[dumped["source"]].load().settings
    return settings.model_validate({key: value for key, value in dumped.items() if key in settings.model_fields}).name
