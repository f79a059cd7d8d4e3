"""Whether a model of transformers is of the kind that its role in the recipe needs, seen from its configuration alone."""

from __future__ import annotations

from typing import Any

from vidal.config.base import ModelSpec
from vidal.models.weights import PACKAGE_SCHEME, transformers_source

_NEEDS = {
    "captions.keyframe": ("MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", "a captioner or vision-language model"),
    "captions.video": ("MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", "a captioner or vision-language model"),
    "captions.sound": ("MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING", "a captioner or vision-language model"),
    "enhanced": ("MODEL_FOR_CAUSAL_LM_MAPPING", "a language model"),
    "depth": ("MODEL_FOR_DEPTH_ESTIMATION_MAPPING", "a depth estimator"),
    "audio.speech": ("MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING", "a speech recogniser"),
}


def unfit(role: str, spec: ModelSpec) -> str | None:
    """Why the model cannot do what it is named for, or None. Weights are not loaded; packaged ones are not looked at."""
    if spec.adapter != "transformers" or role not in _NEEDS or str(spec.id).startswith(PACKAGE_SCHEME):
        return None
    import transformers

    mapping, wanted = _NEEDS[role]
    source, arguments = transformers_source(spec)
    try:
        config: Any = transformers.AutoConfig.from_pretrained(source, **arguments)
    except (OSError, ValueError) as error:
        return f"no model of transformers: {' '.join(str(error).split())[:300]}"
    return None if type(config) in getattr(transformers, mapping) else f"is a {config.model_type} model, not {wanted}"
