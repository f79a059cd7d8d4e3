"""What every part of a recipe is made of: frozen models that know no unknown key, and the naming of a model."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class ModelSpec(Settings):
    """A model by adapter and id. id: a hub id, an open_clip "model/pretrained", or a local folder or file.

    Adapters are the keys of the registries in vidal.models; options go to the adapter as they are.
    """

    adapter: str
    id: str | None = None
    revision: str | None = None
    device: str = "auto"
    options: dict[str, Any] = Field(default_factory=dict)
