"""The base classes of all settings, which are frozen pydantic models that refuse unknown keys, and ModelSpec, which names a model."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from vidal.scores import MEANINGS


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


class ModelSpec(Settings):
    """Names a model by its adapter and its id. The adapters are the keys of the registries in vidal.models."""

    adapter: str
    """A key of the registry for this role, see vidal/models/registry.py."""
    id: str | None = None
    """A hub id, an open_clip "model/pretrained", "package:NAME/FILE", "embedded:NAME", or a local folder or file."""
    revision: str | None = None
    """The revision of a hub id; null means the main branch."""
    device: str = "auto"
    """A device of torch, such as "cuda:1"; "auto" uses a GPU if there is one. If you change it, nothing is computed again: on a GPU, only
    the last digits differ."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Passed to the adapter unchanged."""


class ViewSettings(Settings):
    """Settings of a view that is stored as media files. scores: the meaning of each score of the view, by name, such as "depth_low"."""

    scores: ClassVar[dict[str, str]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        MEANINGS.update(cls.scores)


# The sections that views of the user's own packages add to the recipe, by view. vidal.stages.order.add_view fills this.
ADDED_SECTIONS: dict[str, type[ViewSettings]] = {}
