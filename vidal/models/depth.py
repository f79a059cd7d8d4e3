"""Estimates depth with a model of transformers (GLPN, Depth Anything, DPT, ZoeDepth, DepthPro) from a hub id or a local folder."""

from __future__ import annotations

from typing import Any

import torch
from PIL import Image
from transformers import AutoConfig, AutoImageProcessor, AutoModelForDepthEstimation

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.media.arrays import Float32Array
from vidal.models.batch_groups import group_into_batches
from vidal.models.device import choose_device
from vidal.models.model_id import model_id
from vidal.models.protocols import Images
from vidal.models.weights import transformers_source

KINDS = ("metric", "relative", "inverse_relative")


class TransformersDepth:
    """A DepthEstimator. Its options are `kind` and `input`.

    kind: the meaning of the depth values, one of KINDS. Without this option, the model's configuration must say what the values
    mean; otherwise UserError is raised.
    input: [width, height] that pictures are resized to before the model's own preprocessing, whatever their aspect ratio.
    """

    def __init__(self, spec: ModelSpec):
        self._device = choose_device(spec.device)
        source, arguments = transformers_source(spec)
        config = AutoConfig.from_pretrained(source, **arguments)
        self.kind = _kind_option(spec) or depth_kind(config)
        self.unit = "m" if self.kind == "metric" else ""
        self.name = model_id(spec, getattr(config, "_commit_hash", None))
        self._input: list[int] | None = spec.options.get("input")
        self._processor = AutoImageProcessor.from_pretrained(source, **arguments)
        self._model = AutoModelForDepthEstimation.from_pretrained(source, **arguments).to(self._device).eval()

    def estimate(self, images: Images) -> list[Float32Array]:
        """Returns one depth map per picture, (h, w) float32, of the picture's own size. Values are in metres if the kind is metric."""
        return self.estimate_with_view(images)[0]

    def estimate_with_view(self, images: Images) -> tuple[list[Float32Array], list[float | None]]:
        """Returns for each picture a depth map, and for each picture the camera's horizontal field of view in degrees.

        A depth map is (h, w) float32, of the picture's own size, in metres if the kind is metric. Only DepthPro estimates the field of
        view; for other models, it is None.
        """
        by_index: dict[int, dict[str, torch.Tensor]] = {}
        for group in group_into_batches([image.size for image in images], self._device):
            by_index |= dict(zip(group, self._predict([images[index] for index in group]), strict=True))
        predictions = [by_index[index] for index in range(len(images))]
        depths = [prediction["predicted_depth"].float().cpu().numpy() for prediction in predictions]
        angles = [prediction.get("field_of_view") for prediction in predictions]
        return depths, [None if angle is None else float(angle) for angle in angles]

    @torch.inference_mode()
    def _predict(self, images: Images) -> list[dict[str, torch.Tensor]]:
        """Returns a prediction for each picture. All pictures must have the same size.

        The "predicted_depth" of a prediction is (h, w), as large as the picture.
        """
        # ZoeDepth's processor needs the sizes of the input, to crop the padding from it; the other processors need those of the output.
        sizes = [(image.height, image.width) for image in images]
        inputs = self._processor(images=[self._resize(image) for image in images], return_tensors="pt")
        outputs = self._model(**inputs.to(self._device))
        result: list[dict[str, torch.Tensor]] = self._processor.post_process_depth_estimation(outputs, sizes)
        return result

    def _resize(self, image: Image.Image) -> Image.Image:
        if self._input is None:
            return image
        return image.resize((self._input[0], self._input[1]), Image.Resampling.BILINEAR)


def depth_kind(config: Any) -> str:
    """Returns the meaning of a model's depth values, one of KINDS. It follows from the configuration, never from the values themselves.

    config: the model's configuration in transformers.
    - GLPN and ZoeDepth predict metres, because they were trained on NYU or KITTI.
    - Depth Anything states its kind in the configuration.
    - DPT, the model of MiDaS, predicts disparity up to scale and shift.
    - DepthPro predicts metres if it also estimates the field of view; otherwise, it predicts depth up to scale.

    Raises UserError for any other model.
    """
    model_type = str(getattr(config, "model_type", ""))
    if model_type in ("glpn", "zoedepth"):
        return "metric"
    if model_type == "depth_anything":
        return "metric" if config.depth_estimation_type == "metric" else "inverse_relative"
    if model_type == "depth_pro":
        return "metric" if config.use_fov_model else "relative"
    # DINOv2's depth heads are of the same class, but have this projection and were trained on metres.
    if model_type == "dpt" and not config.add_projection:
        return "inverse_relative"
    raise UserError(
        f"the configuration of the depth model, of type {model_type!r}, does not say what its depth values mean: "
        f"set depth.model.options.kind to one of {', '.join(KINDS)}"
    )


def _kind_option(spec: ModelSpec) -> str | None:
    kind = spec.options.get("kind")
    if kind is not None and kind not in KINDS:
        raise UserError(f"depth.model.options.kind is {kind!r}: it must be one of {', '.join(KINDS)}")
    return kind
