"""Depth by transformers: GLPN, Depth Anything, DPT, ZoeDepth, DepthPro, from a hub id or a local folder."""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoConfig, AutoImageProcessor, AutoModelForDepthEstimation

from vidal.config import ModelSpec
from vidal.errors import UserError
from vidal.models import Images
from vidal.models.weights import device, transformers_source

# What a model's numbers mean follows from what it was trained on; it is never guessed from the numbers.
_KINDS = {"glpn": "metric", "zoedepth": "metric", "depth_pro": "metric", "dpt": "inverse_relative"}


class TransformersDepth:
    """options.kind overrides the nature of a model type that is not listed."""

    def __init__(self, spec: ModelSpec):
        self._device = device(spec)
        source, arguments = transformers_source(spec)
        config = AutoConfig.from_pretrained(source, **arguments)
        self.kind = spec.options.get("kind") or depth_kind(config)
        self.unit = "m" if self.kind == "metric" else ""
        self.name = f"{spec.id}@{spec.revision or 'local'}"
        self._processor = AutoImageProcessor.from_pretrained(source, **arguments)
        self._model = AutoModelForDepthEstimation.from_pretrained(source, **arguments).to(self._device).eval()

    @torch.inference_mode()
    def estimate(self, images: Images) -> list[np.ndarray]:
        """(h, w) float32 for each picture, at its size: metres where metric."""
        inputs = self._processor(images=images, return_tensors="pt").to(self._device)
        outputs = self._model(**inputs)
        sizes = [(image.height, image.width) for image in images]
        found = self._processor.post_process_depth_estimation(outputs, target_sizes=sizes)
        return [each["predicted_depth"].float().cpu().numpy() for each in found]


def depth_kind(config: object) -> str:
    """Raises UserError for a model type whose depth nobody has described here."""
    model_type = str(getattr(config, "model_type", ""))
    if model_type == "depth_anything":
        return "metric" if getattr(config, "depth_estimation_type", "relative") == "metric" else "inverse_relative"
    if model_type not in _KINDS:
        raise UserError(
            f"depth model type {model_type!r}: set model.options.kind to metric, relative or inverse_relative"
        )
    return _KINDS[model_type]
