"""The name of a model in the manifest: the same on every machine, and different for different weights."""

from __future__ import annotations

from pathlib import Path

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.models.weights import revision_of

_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth")


def model_id(spec: ModelSpec, commit: str | None = None) -> str:
    """Returns "id@revision". For local weights, the id is the last part of their path, and the revision defaults to a hash of the files.

    commit: the commit that the hub resolved the revision to, if any. It replaces the revision, except for local weights.
    """
    path = Path(spec.id or "")
    if not spec.id or not path.exists():
        return f"{spec.id}@{commit or revision_of(spec)}"
    files = [path] if path.is_file() else sorted(file for file in path.iterdir() if file.suffix in _WEIGHTS)
    return f"{path.name}@{spec.revision or _sha256(files)[:12]}"


def _sha256(files: list[Path]) -> str:
    """Returns the SHA-256 of a single file, or a hash of the hashes of several files."""
    digests = [ids.file_sha256(file) for file in files]
    return digests[0] if len(digests) == 1 else ids.sha256("".join(digests))
