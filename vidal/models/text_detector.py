"""Finds readable text in a picture with PP-OCRv4 (PaddleOCR), from the package rapidocr-onnxruntime.

The detector alone mistakes compact objects for text: in real clips it marked three bears, a hand and a dancer. So a second network
reads the text in each box, and a box counts only if the reader is confident. This removes all of these mistakes. Detecting and reading
take 0.07 s per picture.
"""

from __future__ import annotations

import cv2
import numpy as np
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException
from PIL import Image
from rapidocr_onnxruntime import RapidOCR
from rapidocr_onnxruntime.ch_ppocr_det.utils import ResizeImgError

from vidal.config.base import ModelSpec
from vidal.errors import ModelError
from vidal.media.arrays import Float32Array
from vidal.models.threads import thread_count
from vidal.models.weights import package_version

# In pixels. At 384, the detector finds letters of 10 pixels in a stored frame; at 256, only letters of 16. The package's default,
# 736, takes three times as long.
SHORT_SIDE, LONG_SIDE_MAX = 384, 960
CONFIDENCE_MIN = 0.7


class RapidOcr:
    """A TextDetector. Its options are `short_side` and `confidence_min`.

    short_side: pictures are resized to this short side, in pixels, or to a smaller one so that the long side is at most LONG_SIDE_MAX.
    confidence_min: a text that is read with less confidence (0..1) does not count.
    """

    def __init__(self, spec: ModelSpec):
        self.name = f"PP-OCRv4, {package_version('rapidocr-onnxruntime')}"
        self._short_side = int(spec.options.get("short_side", SHORT_SIDE))
        self._reader = RapidOCR(
            intra_op_num_threads=thread_count(),
            inter_op_num_threads=1,
            use_cls=False,
            text_score=float(spec.options.get("confidence_min", CONFIDENCE_MIN)),
        )
        # By default every picture is enlarged to 736 pixels, and the constructor has no argument to change that.
        self._reader.text_det.limit_type = "max"

    def detect_boxes(self, image: Image.Image) -> Float32Array:
        """Returns the corners (x, y) of each box, (n, 4, 2) float32, in pixels of the picture. Raises ModelError if a network fails."""
        scale = min(self._short_side / min(image.size), LONG_SIDE_MAX / max(image.size))
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        pixels = np.asarray(image.convert("RGB").resize(size, Image.Resampling.BICUBIC))[:, :, ::-1]
        try:
            readings, _ = self._reader(np.ascontiguousarray(pixels))
        except (ResizeImgError, cv2.error, Fail, InvalidArgument, RuntimeException) as error:
            raise ModelError(f"the text detector failed: {error}") from error
        corners: Float32Array = np.array([box for box, _, _ in readings or []], np.float32).reshape(-1, 4, 2)
        scales: Float32Array = np.array([size[0] / image.width, size[1] / image.height], np.float32)
        return corners / scales
