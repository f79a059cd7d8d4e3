"""Finds out whether the weights of a model are available on this machine, and identifies them, so that other weights are noticed.

This is separate from the adapters, the classes that run models: importing an adapter imports torch, and `vidal plan` must be quick. No
weights are loaded or downloaded here. At most, the hub is asked whether it has a model, and a model's configuration is read.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.hub import why_not_on_hub
from vidal.models.weights import (
    PACKAGE_SCHEME,
    content_identity,
    embedded_folder,
    revision_of,
    transformers_source,
)

Identity = list[str | None]
_NO_ID = "no id: give a hub id or a local folder"


class Weights(Protocol):
    """The weights of an adapter. Your own package may define another class with these two methods."""

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        """Returns why the model of the spec cannot be loaded on this machine and how to fix that, or None if it can."""

    def identity(self, spec: ModelSpec) -> Identity:
        """Returns a value that is different for different weights. It is part of the fingerprint of all work that uses the model."""


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that Python packages contain. PackagedWeights() without arguments describes an adapter that has no weights.

    modules: the import names of the packages that the adapter needs. distributions: the distribution names of the packages that contain
    the weights.
    """

    modules: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        missing = [name for name in self.modules if importlib.util.find_spec(name) is None]
        return f"packages not installed: {', '.join(missing)}; run `make setup`" if missing else None

    def identity(self, spec: ModelSpec) -> Identity:
        return [_installed(name) for name in self.distributions]


@dataclass(frozen=True)
class CheckpointWeights:
    """A checkpoint that the spec's id names: a local folder or file, a file of a package ("package:NAME/FILE"), or a hub id.

    kind: two texts that name the kind of model that the adapter needs, such as
    ("MODEL_FOR_DEPTH_ESTIMATION_MAPPING", "a depth estimator"); None if any kind will do. The first text is the name of a mapping in the
    library transformers. The keys of this mapping are the configuration classes of the kind. The second text is used in messages.
    remedy: tells the user what to do if the checkpoint is missing; None if the checkpoint may be on the hub.
    """

    kind: tuple[str, str] | None = None
    remedy: str | None = None

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        return self._why_absent(spec) or self._why_of_another_kind(spec)

    def identity(self, spec: ModelSpec) -> Identity:
        """Returns what identifies the weights: for a local checkpoint a hash of its files, otherwise the id and the revision.

        If the spec sets no revision, a package has its version as revision, and a hub id has "main".
        """
        path = Path(spec.id or "")
        if spec.id and path.exists():
            return [content_identity(path)]
        return [spec.id, revision_of(spec) if spec.id else None]

    def _why_absent(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return _NO_ID
        if spec.id.startswith(PACKAGE_SCHEME):
            name = spec.id.removeprefix(PACKAGE_SCHEME).partition("/")[0]
            return None if importlib.util.find_spec(name) else f"package {name} is not installed; run `make setup`"
        if Path(spec.id).exists():
            return None
        if spec.id.startswith(("/", ".")):
            return f"{spec.id}: no such file or folder: correct the model's id"
        return f"{spec.id}: no such checkpoint; {self.remedy}" if self.remedy else why_not_on_hub(spec.id)

    def _why_of_another_kind(self, spec: ModelSpec) -> str | None:
        """Returns why the model does not fit `kind`, or None. Reads only its configuration. Packaged models are not checked."""
        if self.kind is None or str(spec.id).startswith(PACKAGE_SCHEME):
            return None
        import transformers

        mapping, description = self.kind
        source, arguments = transformers_source(spec)
        try:
            config: Any = transformers.AutoConfig.from_pretrained(source, **arguments)
        except (OSError, ValueError) as error:
            return f"not a model that transformers can read: {' '.join(str(error).split())[:300]}"
        return (
            None
            if type(config) in getattr(transformers, mapping)
            else f"is a {config.model_type} model, not {description}"
        )


@dataclass(frozen=True)
class OpenClipWeights:
    """A model of open_clip. Its id is a hub id, a local folder, or "MODEL/PRETRAINED", where PRETRAINED is a tag or a file.

    has_head: whether the adapter adds a head to the model; options.head must then name the head's file.
    """

    has_head: bool = False

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return _NO_ID
        head = spec.options.get("head")
        if self.has_head and not (head and Path(str(head)).is_file()):
            return f"options.head: {head or 'not given'}: name the file of the head's weights"
        if _checkpoint_file(spec.id).is_file() or Path(spec.id).exists():
            return None
        if spec.id.startswith(("/", ".")):
            return f"{spec.id}: no such file or folder: correct the model's id"
        return why_not_on_hub(_open_clip_repository(spec.id))

    def identity(self, spec: ModelSpec) -> Identity:
        head = spec.options.get("head")
        heads: Identity = [content_identity(Path(str(head)))] if head and Path(str(head)).exists() else []
        name = spec.id or ""
        path = _checkpoint_file(name) if not Path(name).exists() and _checkpoint_file(name).is_file() else Path(name)
        if name and path.exists():
            return [content_identity(path), *heads]
        return [spec.id, revision_of(spec) if spec.id else None, *heads]


@dataclass(frozen=True)
class EmbeddedWeights:
    """Weights that ship with vidal ("embedded:NAME"), or a local folder with config.json and model.safetensors."""

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return _NO_ID
        if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
            return "package efficientnet-lite-pytorch is not installed; run `make setup`"
        try:
            folder = embedded_folder(spec.id) or Path(spec.id)
        except UserError as error:
            return str(error)
        is_checkpoint = (folder / "config.json").is_file()
        return None if is_checkpoint else f"{spec.id}: not a folder with config.json and model.safetensors"

    def identity(self, spec: ModelSpec) -> Identity:
        path = (embedded_folder(spec.id) or Path(spec.id)) if spec.id else Path()
        if spec.id and path.exists():
            return [content_identity(path)]
        return [spec.id, revision_of(spec) if spec.id else None]


@dataclass(frozen=True)
class ServedModel:
    """A model on a server. probe: the "module:function" that takes the spec and returns why the server cannot be used, or None."""

    probe: str

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return _NO_ID
        module, _, name = self.probe.partition(":")
        why: str | None = getattr(importlib.import_module(module), name)(spec)
        return why

    def identity(self, spec: ModelSpec) -> Identity:
        """Returns the id and the revision of the model. If the id is a local path, returns a hash of its files instead."""
        # Some servers name a model by its path.
        path = Path(spec.id or "")
        if spec.id and path.exists():
            return [content_identity(path)]
        return [spec.id, revision_of(spec) if spec.id else None]


def _installed(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return f"{distribution} absent"


def _checkpoint_file(id_: str) -> Path:
    return Path(id_.partition("/")[2])


def _open_clip_repository(id_: str) -> str:
    """Returns the hub repository of a pretrained open_clip model."""
    if id_.count("/") != 1:
        return id_
    import open_clip

    name, _, tag = id_.partition("/")
    config = open_clip.get_pretrained_cfg(name, tag) or {}
    return str(config.get("hf_hub") or id_).rstrip("/")
