"""What an adapter's entry in the registry says of its weights: why they cannot be had here, and which weights they are.

It stands in the entry and not in the adapter's file, because importing an adapter imports torch, and `vidal plan` must be quick.
Nothing is loaded here; the hub is asked once at most.
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


class Weights(Protocol):
    """The weights of one adapter."""

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        """Why the model of the spec cannot be loaded here, or None."""

    def identity(self, spec: ModelSpec) -> list[Any]:
        """Part of the identity of the work that is done with the model: changes when the weights do."""


@dataclass(frozen=True)
class PackagedWeights:
    """Weights that come with Python packages. modules: packages that must be importable; distributions: those with weights."""

    modules: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        lacking = [name for name in self.modules if importlib.util.find_spec(name) is None]
        return f"packages not installed: {', '.join(lacking)}; run `make setup`" if lacking else None

    def identity(self, spec: ModelSpec) -> list[Any]:
        return [_installed(name) for name in self.distributions]


@dataclass(frozen=True)
class CheckpointWeights:
    """A checkpoint that the spec's id names: a local folder or file, a file of a package ("package:..."), or a hub id.

    kind: the transformers mapping that the model's configuration must stand in, and its name in plain words. remedy: for
    weights that no hub holds.
    """

    kind: tuple[str, str] | None = None
    remedy: str | None = None

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        return self._why_absent(spec) or self._why_of_another_kind(spec)

    def identity(self, spec: ModelSpec) -> list[Any]:
        """A hash of local files, or id and revision: what the main branch of a hub id holds is not asked at every run."""
        path = Path(spec.id or "")
        if spec.id and path.exists():
            return [content_identity(path)]
        return [spec.id, revision_of(spec) if spec.id else None]

    def _why_absent(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return "no id: give a hub id or a local folder"
        if spec.id.startswith(PACKAGE_SCHEME):
            name = spec.id.removeprefix(PACKAGE_SCHEME).partition("/")[0]
            return None if importlib.util.find_spec(name) else f"package {name} is not installed; run `make setup`"
        if Path(spec.id).exists():
            return None
        if spec.id.startswith(("/", ".")):
            return f"{spec.id}: no such file or folder"
        return f"{spec.id}: no such checkpoint; {self.remedy}" if self.remedy else why_not_on_hub(spec.id)

    def _why_of_another_kind(self, spec: ModelSpec) -> str | None:
        """Seen from the configuration alone. Packaged models are not looked at."""
        if self.kind is None or str(spec.id).startswith(PACKAGE_SCHEME):
            return None
        import transformers

        mapping, wanted = self.kind
        source, arguments = transformers_source(spec)
        try:
            config: Any = transformers.AutoConfig.from_pretrained(source, **arguments)
        except (OSError, ValueError) as error:
            return f"no model of transformers: {' '.join(str(error).split())[:300]}"
        return None if type(config) in getattr(transformers, mapping) else f"is a {config.model_type} model, not {wanted}"


@dataclass(frozen=True)
class OpenClipWeights:
    """A model of open_clip, "ARCHITECTURE/PRETRAINED" or "ARCHITECTURE/file". has_head: options.head names the file of a head."""

    has_head: bool = False

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return "no id: give a hub id or a local folder"
        head = spec.options.get("head")
        if self.has_head and not (head and Path(str(head)).is_file()):
            return f"options.head: {head or 'not given'}: must be the file of the head"
        if _checkpoint_file(spec.id).is_file() or Path(spec.id).exists():
            return None
        if spec.id.startswith(("/", ".")):
            return f"{spec.id}: no such file or folder"
        return why_not_on_hub(_open_clip_repository(spec.id))

    def identity(self, spec: ModelSpec) -> list[Any]:
        head = spec.options.get("head")
        heads = [content_identity(Path(str(head)))] if head and Path(str(head)).exists() else []
        name = spec.id or ""
        path = _checkpoint_file(name) if not Path(name).exists() and _checkpoint_file(name).is_file() else Path(name)
        if name and path.exists():
            return [content_identity(path), *heads]
        return [spec.id, revision_of(spec) if spec.id else None, *heads]


@dataclass(frozen=True)
class EmbeddedWeights:
    """Weights that ship with vidal ("embedded:NAME"), or a folder of the same layout."""

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return "no id: give a hub id or a local folder"
        if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
            return "package efficientnet-lite-pytorch is not installed; run `make setup`"
        try:
            folder = embedded_folder(spec.id) or Path(spec.id)
        except UserError as error:
            return str(error)
        is_whole = (folder / "config.json").is_file()
        return None if is_whole else f"{spec.id}: no folder with config.json and model.safetensors"

    def identity(self, spec: ModelSpec) -> list[Any]:
        path = (embedded_folder(spec.id) or Path(spec.id)) if spec.id else Path()
        if spec.id and path.exists():
            return [content_identity(path)]
        return [spec.id, revision_of(spec) if spec.id else None]


@dataclass(frozen=True)
class ServedModel:
    """A model behind a server. probe: "module:function" that returns why the server cannot be used, or None."""

    probe: str

    def why_unavailable(self, spec: ModelSpec) -> str | None:
        if not spec.id:
            return "no id: give a hub id or a local folder"
        module, _, name = self.probe.partition(":")
        why: str | None = getattr(importlib.import_module(module), name)(spec)
        return why

    def identity(self, spec: ModelSpec) -> list[Any]:
        return [spec.id, revision_of(spec) if spec.id else None]


def _installed(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return f"{distribution} absent"


def _checkpoint_file(id_: str) -> Path:
    return Path(id_.partition("/")[2])


def _open_clip_repository(id_: str) -> str:
    """The hub repository of a pretrained open_clip model."""
    if id_.count("/") != 1:
        return id_
    import open_clip

    name, _, tag = id_.partition("/")
    config = open_clip.get_pretrained_cfg(name, tag) or {}
    return str(config.get("hf_hub") or id_).rstrip("/")
