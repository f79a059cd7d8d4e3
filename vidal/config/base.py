"""The base classes of all settings: frozen pydantic models that refuse unknown keys."""

from __future__ import annotations

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from vidal.scores import MEANINGS


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=(), use_attribute_docstrings=True)


class ModelSpec(Settings):
    """Names a model by its adapter and its id. The adapters are the keys of the registries in vidal.models."""

    adapter: str
    """Code that runs the model. A table below lists the adapters of each key."""
    id: str | None = None
    """An id of the Hugging Face hub, or a local folder or file. For `open_clip`, it is `MODEL/PRETRAINED`. `package:NAME/FILE` names
    a file in an installed package. `embedded:NAME` names weights that come with vidal. `null` is for adapters that have only one
    model."""
    revision: str | None = None
    """Revision of the model on the hub. `null` uses the main branch."""
    device: str = "auto"
    """Torch device that the model runs on, such as `cuda:1`. `auto` uses a GPU if there is one. A change of device
    repeats no stored work."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further settings of the adapter, listed below."""


class ViewSettings(Settings):
    """Settings of a view that is stored as media files. scores: the description of each score of the view, by the name of the score."""

    scores: ClassVar[dict[str, str]] = {}

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        MEANINGS.update(cls.scores)


# The sections that views of the user's own packages add to the recipe, by view. vidal.stages.order.add_view fills this.
ADDED_SECTIONS: dict[str, type[ViewSettings]] = {}
