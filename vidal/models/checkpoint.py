"""A checkpoint of the encoder-decoder: a folder with config.json and model.safetensors, checked when it is loaded."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

import torch
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from vidal.config.base import ModelSpec, Settings
from vidal.errors import UserError
from vidal.models.encoder_decoder_net import EncoderDecoder
from vidal.models.weights import embedded_folder, require_id

CONFIG, WEIGHTS = "config.json", "model.safetensors"


class Config(Settings):
    """The configuration of a checkpoint.

    kind, unit: the meaning and the unit of depth values, as in vidal.models.protocols.DepthEstimator. short_side: the length in pixels to
    which a picture's short side is scaled. multiple: both sides are then rounded to multiples of this number. mean, std: a colour value
    in 0..255 enters the network as (value - mean) / std. widths: the decoder's channels at each level, from stride 2 to the deepest.
    bounded: whether a sigmoid limits the output to 0..1.
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
    """Writes config.json and model.safetensors, and returns a hash of both. Weights of two or more dimensions are stored as float16."""
    folder.mkdir(parents=True, exist_ok=True)
    state = {key: (value.half() if value.ndim > 1 else value).contiguous() for key, value in net.state_dict().items()}
    save_file(state, folder / WEIGHTS)
    (folder / CONFIG).write_text(config.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return revision(folder)


def revision(folder: Path) -> str:
    """Returns a hash of the files with the weights and the configuration: 16 hexadecimal digits."""
    parts = (folder / name for name in (CONFIG, WEIGHTS))
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()[:16]


def load(spec: ModelSpec, task: str) -> tuple[EncoderDecoder, Config, str]:
    """Returns the network in evaluation mode, its configuration, and its name "id@revision".

    task: "depth" or "infrared". Raises UserError if the checkpoint cannot be read, is for another task, has another revision than the
    spec asks for, or does not fit the network; in the last case, the error names the first key that does not match.
    """
    id_ = require_id(spec)
    embedded = embedded_folder(id_)
    folder = embedded or Path(id_)
    config = _read_config(folder)
    if config.task != task:
        raise UserError(f"{folder} is a checkpoint for {config.task}; give one for {task}")
    actual = revision(folder)
    if spec.revision and spec.revision != actual:
        raise UserError(
            f"{spec.id}: the recipe asks for revision {spec.revision}, but the folder holds {actual}: change the revision or the id"
        )
    return _load_net(folder, config), config, f"{id_ if embedded else folder.name}@{actual}"


def _read_config(folder: Path) -> Config:
    path = folder / CONFIG
    try:
        return Config.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; give a folder with {CONFIG} and {WEIGHTS}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise UserError(f"{path}: {'.'.join(map(str, first['loc'])) or 'file'}: {first['msg']}") from error


def _load_net(folder: Path, config: Config) -> EncoderDecoder:
    path = folder / WEIGHTS
    state = _read_weights(path)
    net = EncoderDecoder(config.widths, config.bounded)
    _check_weights(path, state, net.state_dict())
    net.load_state_dict(state)
    return net.eval().to(memory_format=torch.channels_last)


def _read_weights(path: Path) -> dict[str, Tensor]:
    try:
        return {key: value.float() if value.is_floating_point() else value for key, value in load_file(path).items()}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; give a folder with {CONFIG} and {WEIGHTS}") from error
    except SafetensorError as error:
        raise UserError(f"{path}: not a safetensors file ({error}); give another checkpoint") from error


def _check_weights(path: Path, state: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Raises UserError if weights are missing, unknown, not finite or of a wrong shape. The error names the first such weight."""
    if wrong := sorted(state.keys() ^ expected.keys()):
        raise UserError(
            f"{path}: {len(wrong)} keys are missing or unknown; the first is {wrong[0]}; give another checkpoint"
        )
    if wrong := sorted(key for key in state if state[key].shape != expected[key].shape):
        shapes = f"{list(state[wrong[0]].shape)} instead of {list(expected[wrong[0]].shape)}"
        raise UserError(
            f"{path}: the shapes of {len(wrong)} weights do not fit config.json; the first is {wrong[0]}: {shapes}; "
            "give another checkpoint"
        )
    if wrong := sorted(key for key in state if not torch.isfinite(state[key]).all()):
        raise UserError(f"{path}: the weight {wrong[0]} has numbers that are not finite; give another checkpoint")
