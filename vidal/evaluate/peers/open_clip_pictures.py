"""OpenCLIP as a peer (an encoder of another project).

The id is as in recipes: "MODEL/PRETRAINED", a hub id, or a local folder with open_clip_config.json.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import open_clip
import torch
from PIL import Image
from torch import Tensor

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.evaluate.peers.parts import PeerText, part_of, require_weights
from vidal.evaluate.peers.pictures import picture_towers
from vidal.media.arrays import Float32Array
from vidal.models.availability import OpenClipWeights
from vidal.models.open_clip_scorer import resolve_name
from vidal.train.loading import Part
from vidal.train.media_reader import MediaReader


class OpenClipReader(MediaReader):
    """Reads pictures with the transform that open_clip keeps with the model."""

    def __init__(self, transform: Callable[[Image.Image], Tensor]):
        self._transform = transform

    def picture(self, image: Image.Image) -> Float32Array:
        """Returns (3, side, side) float32, normalised."""
        array: Float32Array = self._transform(image.convert("RGB")).numpy()
        return array


def open_part(id_: str, device: torch.device) -> Part:
    """Opens an OpenCLIP model. Raises UserError if the id names no weights, or if the model cannot be loaded."""
    spec, weights = ModelSpec(adapter="open_clip", id=id_, device=str(device)), OpenClipWeights()
    name, tag = resolve_name(id_)
    if tag is None and name in open_clip.list_models():
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(name)[:5]) or "the file of a checkpoint"
        raise UserError(f"--checkpoint open_clip:{id_}: no weights are named: add one of {tags}, as in {name}/TAG")
    require_weights(spec, weights)
    model, transform = _load(id_, name, tag, device)
    tokenizer = open_clip.get_tokenizer(name)

    def embed_texts(texts: list[str]) -> Tensor:
        features: Tensor = model.encode_text(tokenizer(texts).to(next(model.parameters()).device))
        return features

    towers = picture_towers(model, model.encode_image, OpenClipReader(transform))
    return part_of(spec, towers, PeerText(spec, weights, embed_texts))


def _load(id_: str, name: str, tag: str | None, device: torch.device) -> tuple[Any, Any]:
    """Returns the model, in evaluation mode, and its transform of pictures for evaluation."""
    known = open_clip.get_pretrained_cfg(name, tag) if tag else None
    try:
        model, _, transform = open_clip.create_model_and_transforms(
            name,
            pretrained=tag,
            device=device,
            load_weights=True,
            require_pretrained=True,
            # The configuration of a model has GELU, even if the weights, such as OpenAI's, were trained with QuickGELU.
            force_quick_gelu=bool((known or {}).get("quick_gelu")),
        )
    except (RuntimeError, OSError, ValueError) as error:
        raise UserError(
            f"--checkpoint open_clip:{id_} cannot be opened: {' '.join(str(error).split())[:300]}"
        ) from error
    return model.eval(), transform
