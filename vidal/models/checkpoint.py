"""A checkpoint of the encoder-decoder: a folder with config.json and model.safetensors, written and loaded strictly."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from vidal.config.base import ModelSpec, Settings
from vidal.errors import UserError
from vidal.models.encoder_decoder_net import EncoderDecoder
from vidal.models.weights import embedded_folder, require_id

CONFIG, WEIGHTS = "config.json", "model.safetensors"


class Config(Settings):
    """What the adapter must know of the weights.

    kind, unit: of depth. short_side: pixels that a picture's short side is scaled to; multiple: what its sides are
    rounded to. mean, std: of the input's 8-bit values. widths, bounded: see EncoderDecoder.
    """

    task: Literal["depth", "infrared"]
    kind: Literal["metric", "relative", "inverse_relative"] | None = None
    unit: str = ""
    short_side: int = Field(ge=32)
    multiple: int = Field(default=32, ge=2)
    mean: float = 127.0
    std: float = 128.0
    widths: tuple[int, ...] = Field(min_length=2, max_length=5)
    bounded: bool


def save(folder: Path, net: EncoderDecoder, config: Config) -> str:
    """Writes the folder's two files and returns the revision. Convolutions in half precision, norms in full."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: (value.half() if value.ndim > 1 else value).contiguous() for key, value in net.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return revision(folder)


def revision(folder: Path) -> str:
    """Hash of the weights and of what they mean: 16 hexadecimal digits."""
    parts = (folder / name for name in (CONFIG, WEIGHTS))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:16]


def load(spec: ModelSpec, task: str) -> tuple[EncoderDecoder, Config, str]:
    """The network in evaluation mode, its config and its name. Raises UserError for what does not fit, by name."""
    folder = embedded_folder(require_id(spec)) or Path(require_id(spec))
    config = _config(folder)
    if config.task != task:
        raise UserError(f"{folder}: a checkpoint for {config.task}, not for {task}")
    found = revision(folder)
    if spec.revision and spec.revision != found:
        raise UserError(f"{spec.id}: the recipe asks for revision {spec.revision}, but the folder holds {found}")
    return _filled(folder, config), config, f"{spec.id}@{found}"


def _config(folder: Path) -> Config:
    path = folder / CONFIG
    try:
        return Config.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a folder with {CONFIG} and {WEIGHTS}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error


def _filled(folder: Path, config: Config) -> EncoderDecoder:
    path = folder / WEIGHTS
    try:
        state = {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file: {error}") from error
    net = EncoderDecoder(config.widths, config.bounded)
    expected = net.state_dict()
    if wrong := sorted(state.keys() ^ expected.keys()):
        raise UserError(f"{path}: {len(wrong)} keys do not match, the first is {wrong[0]}")
    if wrong := sorted(key for key in state if state[key].shape != expected[key].shape):
        shapes = f"{list(state[wrong[0]].shape)} and not {list(expected[wrong[0]].shape)}"
        raise UserError(f"{path}: {len(wrong)} shapes do not match, the first is {wrong[0]}: {shapes}")
    if wrong := sorted(key for key in state if not torch.isfinite(state[key]).all()):
        raise UserError(f"{path}: {wrong[0]} holds numbers that are not finite")
    net.load_state_dict(state)
    return net.eval().to(memory_format=torch.channels_last)
