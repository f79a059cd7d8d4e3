"""The base classes of all settings: frozen models that refuse unknown keys, and how a recipe names a model."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from vidal.scores import MEANINGS


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


class ModelSpec(Settings):
    """A model by adapter and id. id: a hub id, an open_clip "model/pretrained", or a local folder or file.

    Adapters are the keys of the registries in vidal.models; options go to the adapter as they are.
    """

    adapter: str
    """A key of the registry of the role, see vidal/models/registry.py."""
    id: str | None = None
    """A hub id, an open_clip "model/pretrained", "package:NAME/FILE", "embedded:NAME", or a local folder or file."""
    revision: str | None = None
    """The revision of a hub id; null takes the main branch."""
    device: str = "auto"
    """ "auto" uses a GPU if there is one; or a device of torch, such as "cuda:1". It does not alter the output."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Given to the adapter as they are."""


class ViewSettings(Settings):
    """Settings of a view that is stored as media files. scores: the view's scores, "VIEW_..." by name, and what each means."""

    scores: ClassVar[dict[str, str]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        MEANINGS.update(cls.scores)


# Sections of the recipe that views of the user's own packages add, by view. vidal.stages.order.add_view fills it.
ADDED_SECTIONS: dict[str, type[ViewSettings]] = {}
