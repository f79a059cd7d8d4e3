"""ImageBind as a peer (an encoder of another project), from the file imagebind_huge.pth of its authors.

The weights are licensed CC BY-NC-SA 4.0, which allows no commercial use. They are neither part of vidal nor downloaded by it.
"""

from __future__ import annotations

import logging
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path

import open_clip
import torch
from torch import Tensor, nn

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.evaluate.peers.imagebind_reader import CLIP_FRAMES, ImageBindReader
from vidal.evaluate.peers.imagebind_tower import MediaNetwork, TextNetwork
from vidal.evaluate.peers.parts import PeerText, part_of, require_weights
from vidal.models.availability import CheckpointWeights
from vidal.train.loading import Part
from vidal.train.media_reader import MediaReader
from vidal.train.settings import Modality
from vidal.train.towers import ModalityTower
from vidal.train.weights import fill

LICENCE = "CC BY-NC-SA 4.0"
_WEIGHTS = CheckpointWeights(remedy="give the path of imagebind_huge.pth, which ImageBind's repository links to")
_KINDS = {
    Modality.IMAGE: "vision",
    Modality.VIDEO: "vision",
    Modality.DEPTH: "depth",
    Modality.INFRARED: "thermal",
    Modality.AUDIO: "audio",
}
# A weight that the file names "modality_trunks.vision.blocks..." is "trunk.blocks..." in the networks of imagebind_tower.
_PARTS = {"modality_preprocessors": "preprocessor", "modality_trunks": "trunk", "modality_heads": "head"}
# The postprocessors hold temperatures, which do not change the order of scores. vidal has no modality for inertial sensors (imu).
_UNUSED = "modality_postprocessors"
_OTHER_KIND = "imu"

State = dict[str, Tensor]
_log = logging.getLogger(__name__)


class ImageBindTower(ModalityTower):
    """The tower of one modality. The towers of pictures and videos share a network: a picture becomes CLIP_FRAMES identical frames."""

    def __init__(self, network: nn.Module, reader: MediaReader):
        super().__init__((0.0,) * 3, (1.0,) * 3)  # The reader normalises.
        self.network, self.reader = network, reader

    def forward(self, pixels: Tensor) -> Tensor:
        if pixels.ndim == 5 and pixels.shape[2] == 1:
            pixels = pixels.expand(-1, -1, CLIP_FRAMES, -1, -1)
        output: Tensor = self.network(pixels)
        return output


def open_part(id_: str, device: torch.device) -> Part:
    """Loads ImageBind as an encoder. id_: the path of its file. Raises UserError if weights are missing, unknown or of another shape."""
    spec = ModelSpec(adapter="imagebind", id=id_, device=str(device))
    require_weights(spec, _WEIGHTS)
    states = split(_read(Path(id_)), id_)
    _log.warning("ImageBind's weights are licensed %s: no commercial use", LICENCE)
    networks = {kind: _filled(kind, states[kind], id_) for kind in dict.fromkeys(_KINDS.values())}
    reader = ImageBindReader({kind: network.side for kind, network in networks.items()})
    towers = {modality: ImageBindTower(networks[kind], reader) for modality, kind in _KINDS.items()}
    text = _text_network(states["text"], id_).to(device).eval()
    tokenizer = open_clip.get_tokenizer("ViT-B-32", context_length=text.length)  # CLIP's, which is ImageBind's too.

    def embed_texts(texts: list[str]) -> Tensor:
        features: Tensor = text(tokenizer(texts).to(device))
        return features

    return part_of(spec, towers, PeerText(spec, _WEIGHTS, embed_texts))


def split(state: Mapping[str, Tensor], where: str) -> dict[str, State]:
    """Returns the weights of each network, by ImageBind's names of modalities. where: the file, for errors.

    Raises UserError if there are weights that ImageBind does not have, or no weights for a modality.
    """
    states: dict[str, State] = {kind: {} for kind in [*dict.fromkeys(_KINDS.values()), "text"]}
    unknown: list[str] = []
    for name, value in state.items():
        part, _, rest = name.partition(".")
        kind, _, inner = rest.partition(".")
        if part in _PARTS and kind in states:
            states[kind][f"{_PARTS[part]}.{inner}"] = value
        elif part != _UNUSED and not (part in _PARTS and kind == _OTHER_KIND):
            unknown.append(name)
    if unknown:
        raise UserError(
            f"{where} holds weights that ImageBind does not have: {', '.join(sorted(unknown)[:3])}: give imagebind_huge.pth"
        )
    if missing := [kind for kind, weights in states.items() if not weights]:
        raise UserError(f"{where} lacks ImageBind's weights for {', '.join(missing)}: give imagebind_huge.pth")
    return states


def _read(path: Path) -> State:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, ValueError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path} cannot be read as PyTorch weights ({why}): use ImageBind's file exactly as published"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path} holds something other than ImageBind's weights: give imagebind_huge.pth")
    return state


def _filled(kind: str, state: State, where: str) -> MediaNetwork:
    network = MediaNetwork(kind, _Shapes(kind, state, where))
    fill(network, state, where, f"{kind}: ")
    return network


def _text_network(state: State, where: str) -> TextNetwork:
    network = TextNetwork(_Shapes("text", state, where))
    fill(network, state, where, "text: ")
    return network


class _Shapes(dict[str, torch.Size]):
    """The shapes of weights by their names, from which the sizes of networks follow. Looking up a missing weight raises UserError."""

    def __init__(self, kind: str, state: State, where: str):
        super().__init__({name: value.shape for name, value in state.items()})
        self._kind, self._where = kind, where

    def __missing__(self, name: str) -> torch.Size:
        raise UserError(
            f"{self._where} lacks the weight {name} of ImageBind's {self._kind} network: give imagebind_huge.pth"
        )
