"""CLIP, SigLIP and SigLIP 2 of transformers as peers (encoders of other projects), with the processors of their checkpoints."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from vidal.evaluate.peers.parts import PeerText, part_of
from vidal.evaluate.peers.pictures import picture_towers
from vidal.evaluate.peers.transformers_models import WEIGHTS, open_model
from vidal.media.arrays import Float32Array
from vidal.models.features import features_of
from vidal.train.loading import Part
from vidal.train.media_reader import MediaReader

# SigLIP was trained with texts padded to the full length of its input, and any other padding changes the vectors.
_PADDED = {"siglip", "siglip2"}
# The side of the squares to which videos are cropped for SigLIP 2, which takes pictures of any size.
_NAFLEX_SIDE = 256


class ProcessorReader(MediaReader):
    """Reads pictures with an image processor of transformers."""

    def __init__(self, processor: Any):
        self._processor = processor

    def picture(self, image: Image.Image) -> Float32Array:
        """Returns (3, h, w) float32, normalised."""
        pixels = self._processor(images=image.convert("RGB"), return_tensors="pt")["pixel_values"]
        array: Float32Array = pixels[0].float().numpy()
        return array


class PatchReader(MediaReader):
    """Reads pictures of any shape as patches for SigLIP 2. Pads the patches, and marks which are padding."""

    def __init__(self, processor: Any):
        self._processor = processor

    def picture(self, image: Image.Image) -> Float32Array:
        """Returns one row per patch, (patches_max, patch + 2) float32. `patch` is the number of values in a patch.

        The rows after the last patch are padding. The first `patch` columns hold the values of the patches. The next column is 1 for a
        patch and 0 for padding. In the last column, the first row holds the height of the picture and the second row its width, both
        counted in patches. The other rows of the last column are 0.
        """
        out = self._processor(images=image.convert("RGB"), return_tensors="pt")
        patches = out["pixel_values"][0].float().numpy()
        further = np.zeros((len(patches), 2), np.float32)
        further[:, 0] = out["pixel_attention_mask"][0].numpy()
        further[:2, 1] = out["spatial_shapes"][0].numpy()
        return np.concatenate([patches, further], axis=1)

    @property
    def side(self) -> int:
        return _NAFLEX_SIDE


def open_clip(id_: str, device: torch.device) -> Part:
    """Opens a CLIP model. id_: a hub id or a folder.

    Raises UserError if the weights are unavailable, incomplete or of a wrong shape, or if the model is of another kind.
    """
    return _open("clip", id_, device)


def open_siglip(id_: str, device: torch.device) -> Part:
    """Opens a SigLIP or SigLIP 2 model. id_: a hub id or a folder.

    Raises UserError if the weights are unavailable, incomplete or of a wrong shape, or if the model is of another kind.
    """
    return _open("siglip", id_, device)


def _open(kind: str, id_: str, device: torch.device) -> Part:
    spec, model, processor = open_model(kind, id_, device)
    is_naflex = model.config.model_type == "siglip2"
    reader = (PatchReader if is_naflex else ProcessorReader)(processor.image_processor)

    def embed_pictures(pixels: Tensor) -> Tensor:
        if is_naflex:
            return features_of(model.get_image_features(**_patch_inputs(pixels)))
        return features_of(model.get_image_features(pixel_values=pixels))

    towers = picture_towers(model, embed_pictures, reader)
    return part_of(spec, towers, PeerText(spec, WEIGHTS, _embed_texts(model, processor.tokenizer)))


def _patch_inputs(packed: Tensor) -> dict[str, Tensor]:
    """Returns the arguments of SigLIP 2's network.

    packed: n pictures, (n, patches_max, patch + 2): the `patch` values of each patch, and two more columns. The first of these is 1 for a
    real patch and 0 for padding. The other column holds the height of the picture in its first row and the width in its second row. Both
    are counted in patches.
    """
    return {
        "pixel_values": packed[..., :-2],
        "pixel_attention_mask": packed[..., -2].long(),
        "spatial_shapes": packed[:, :2, -1].long(),
    }


def _embed_texts(model: Any, tokenizer: Any) -> Any:
    tokenizer.padding_side = "right"
    padding = "max_length" if model.config.model_type in _PADDED else True
    length = int(model.config.text_config.max_position_embeddings)

    def embed(texts: list[str]) -> Tensor:
        tokens = tokenizer(texts, padding=padding, truncation=True, max_length=length, return_tensors="pt")
        return features_of(model.get_text_features(**tokens.to(model.device)))

    return embed
