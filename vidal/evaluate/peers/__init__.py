"""Peers: encoders of other projects, which are evaluated in the same way as those of vidal. KINDS is the registry.

A peer is named "KIND:ID", such as "open_clip:ViT-B-32/laion2b_s34b_b79k", or by its folder. To add a kind, write a file with a function
that takes an id and a device, and returns the encoder as a vidal.train.loading.Part. Add the function to KINDS.
"""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from vidal.errors import UserError
from vidal.train.loading import Part
from vidal.train.settings import Modality

_PICTURES = (Modality.IMAGE, Modality.VIDEO, Modality.INFRARED, Modality.DEPTH)
_TRANSFORMERS, _OPEN_CLIP = "config.json", "open_clip_config.json"


@dataclass(frozen=True)
class Kind:
    """A kind of peer: an entry of the registry.

    path: "module:function" of this package; the function opens a Part from an id and a device. title: the name that tables show.
    modalities: what the kind encodes besides text. model_types: the values of model_type in config.json that belong to this kind.
    """

    path: str
    title: str
    modalities: tuple[Modality, ...]
    model_types: tuple[str, ...] = ()

    def open(self, id_: str, device: torch.device) -> Part:
        """Opens the peer with this id.

        Raises UserError if the weights are unavailable, incomplete or of a wrong shape, or if the model is of another kind.
        """
        module, _, name = self.path.partition(":")
        function: Callable[[str, torch.device], Part] = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        return function(id_, device)


KINDS = {
    "open_clip": Kind("open_clip_pictures:open_part", "OpenCLIP", _PICTURES),
    "clip": Kind("transformers_pictures:open_clip", "CLIP", _PICTURES, ("clip",)),
    "siglip": Kind("transformers_pictures:open_siglip", "SigLIP", _PICTURES, ("siglip", "siglip2")),
    "clap": Kind("clap_sounds:open_part", "CLAP", (Modality.AUDIO,), ("clap",)),
    "pe_av": Kind("pe_av:open_part", "PE-AV", (Modality.VIDEO, Modality.AUDIO), ("pe_audio_video",)),
    "imagebind": Kind("imagebind:open_part", "ImageBind", (*_PICTURES, Modality.AUDIO)),
}


@dataclass(frozen=True)
class Peer:
    """An encoder of another project, which --checkpoint names. id: its id or its folder."""

    kind: Kind
    id: str

    def open(self, device: torch.device) -> Part:
        """Opens the peer.

        Raises UserError if the weights are unavailable, incomplete or of a wrong shape, or if the model is of another kind.
        """
        return self.kind.open(self.id, device)


def find_peer(checkpoint: str) -> Peer | None:
    """Returns the peer that a checkpoint names, without loading it; None for an encoder of vidal or LanguageBind.

    Raises UserError if the checkpoint has the form KIND:ID, but the kind is unknown or the id is empty.
    """
    folder = Path(checkpoint)
    if folder.is_dir():
        kind = _kind_of(folder)
        return Peer(KINDS[kind], checkpoint) if kind else None
    name, colon, id_ = checkpoint.partition(":")
    if name in KINDS and colon:
        if not id_:
            raise UserError(f"--checkpoint {checkpoint}: an id or a path must follow the colon")
        return Peer(KINDS[name], id_)
    if colon and "/" not in name:
        raise UserError(f"--checkpoint {checkpoint}: {name!r} is not a kind of encoder: choose from {', '.join(KINDS)}")
    return None


def _kind_of(folder: Path) -> str | None:
    """Finds out the kind of the encoder in a folder from its configuration file. Returns a key of KINDS.

    Returns None if the folder has no configuration file of one of these kinds.
    """
    if (folder / _OPEN_CLIP).is_file():
        return "open_clip"
    try:
        config = json.loads((folder / _TRANSFORMERS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None  # If the file is damaged, the loader reports that.
    model_type = config.get("model_type") if isinstance(config, dict) else None
    return next((name for name, kind in KINDS.items() if model_type in kind.model_types), None)
