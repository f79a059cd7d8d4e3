"""Reads the searches of a recipe, each with the settings of its own source."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, SerializeAsAny

from vidal.records import Row
from vidal.sources.registry import SOURCES
from vidal.sources.settings import Search


def parse_search(value: object) -> object:
    """Validates one search of a recipe. Returns it as an object of its source's settings class.

    A value that is not a mapping is returned unchanged, and pydantic checks it afterwards. Raises pydantic.ValidationError for an
    unknown source, an unknown key or a wrong value.
    """
    if not isinstance(value, dict):
        return value
    name = value.get("source", Search.model_fields["source"].default)
    if not isinstance(name, str) or name not in SOURCES:
        return Search.model_validate({"source": name})
    return SOURCES[name].load().settings.model_validate(value)


# A search as a field of the recipe: it is read with the settings of its source, and dumped with all of their keys.
SourceSearch = Annotated[SerializeAsAny[Search], BeforeValidator(parse_search)]


def search_name(dumped: Row) -> str:
    """Returns the name of a search. dumped: the search as a stored recipe contains it.

    An earlier version may have stored keys that the source of the search does not have. These keys are ignored.
    """
    settings = SOURCES[dumped["source"]].load().settings
    return settings.model_validate({key: value for key, value in dumped.items() if key in settings.model_fields}).name
