"""The section `train` of a recipe: towers, texts, loss and loop, and the published presets."""

from __future__ import annotations

from enum import Enum
from typing import Any, Literal

from pydantic import Field, model_validator

from vidal.config.base import ModelSpec, Settings


class Modality(str, Enum):
    """What an encoder sees. Each is bound to language, and through it to the others."""

    VIDEO = "video"
    DEPTH = "depth"
    INFRARED = "infrared"
    AUDIO = "audio"
    IMAGE = "image"


class Lora(Settings):
    """Low-rank adapters (Hu et al. 2022) on the projections q, k, v and out; of a video tower on its temporal attention."""

    rank: int = Field(default=16, ge=1)
    """Rank of the adapters."""
    alpha: float = Field(default=16.0, gt=0)
    """Their scale is alpha / rank."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before them."""


class Fbank(Settings):
    """The log mel spectrogram of a sound, after Kaldi."""

    mel_bins: int = Field(default=128, ge=8)
    """Mel bins."""
    frames: int = Field(default=1024, ge=16)
    """Windows of 25 ms, every 10 ms."""
    fill: Literal["zero", "tile"] = "zero"
    """What fills up a short sound; a long one gives three crops."""


class Encoder(Settings):
    """The encoder of one modality, and how it is trained."""

    model: ModelSpec = ModelSpec(adapter="efficientnet")
    """Adapters efficientnet (offline), clip (transformers) and open_clip."""
    tuning: Literal["lora", "full", "head"] = "full"
    """lora (with what LanguageBind trains beside it: class embedding, last norm, projection), full, or head (the last layers)."""
    lora: Lora = Lora()
    """The low-rank adapters."""
    patch_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the patches that a step leaves out."""
    frames: int = Field(default=8, ge=1)
    """Frames of a video."""
    side: int = Field(default=224, ge=16)
    """Side of the square picture that the tower gets, in pixels."""
    fbank: Fbank = Fbank()
    """The spectrogram of a sound."""
    preset: Literal["paper", "script"] | None = None
    """Published numbers, which keys given here override."""
    epochs: int = Field(default=10, ge=1)
    """Passes over the data."""
    batch_size: int = Field(default=16, ge=2)
    """Samples of a step, over all processes and accumulation steps."""
    accumulate: int = Field(default=1, ge=1)
    """Chunks of a step, to save memory."""
    lr: float = Field(default=1e-4, gt=0)
    """Learning rate."""
    lr_factors: dict[str, float] = Field(default_factory=dict)
    """Factors of the learning rate, by the beginning of the name of a weight."""
    warmup_steps: int = Field(default=0, ge=0)
    """Steps until the full learning rate."""


def _published(
    epochs: int, lr: float, batch: int, warmup: int, mask: float, rank: int, dropout: float
) -> dict[str, Any]:
    """batch: of all processes and accumulation steps together."""
    return {
        "epochs": epochs,
        "lr": lr,
        "batch_size": batch,
        "warmup_steps": warmup,
        "patch_dropout": mask,
        "tuning": "lora",
        "lora": {"rank": rank, "alpha": 16.0, "dropout": dropout},
    }


# Zhu et al. 2024, appendix, and the scripts of their repository, which differ.
PRESETS: dict[tuple[Modality, str], dict[str, Any]] = {
    (Modality.VIDEO, "paper"): _published(16, 1e-4, 640, 2000, 0.3, 16, 0.0),
    (Modality.VIDEO, "script"): _published(16, 1e-4, 640, 2000, 0.3, 16, 0.0),
    (Modality.INFRARED, "paper"): _published(1, 1e-4, 1024, 200, 0.5, 2, 0.1),
    (Modality.INFRARED, "script"): _published(1, 1e-4, 1024, 200, 0.5, 2, 0.0),
    (Modality.DEPTH, "paper"): _published(1, 5e-4, 1024, 200, 0.5, 2, 0.1),
    (Modality.DEPTH, "script"): _published(1, 5e-4, 1024, 200, 0.5, 2, 0.0),
    (Modality.AUDIO, "paper"): _published(8, 5e-4, 512, 2000, 0.3, 16, 0.1),
    (Modality.AUDIO, "script"): {
        **_published(16, 1e-3, 1024, 2000, 0.1, 16, 0.0),
        "fbank": {"mel_bins": 126, "frames": 1036, "fill": "tile"},
    },
}


class Train(Settings):
    """The trainer: an encoder for each modality, bound to a frozen language tower."""

    text: ModelSpec = ModelSpec(adapter="minilm")
    """The frozen language tower: minilm, clip or open_clip."""
    modalities: dict[Modality, Encoder] = Field(default_factory=dict)
    """The encoders to train; null removes one of a recipe below."""
    views: dict[str, float] = Field(
        default_factory=lambda: {"title": 1.0, "keyframe": 1.0, "video": 1.0, "enhanced": 1.0}
    )
    """How often a text of each view is drawn, by weight. A keyframe caption brings its own frame."""
    skip_flags: tuple[str, ...] = ("unsupported",)
    """Texts with these flags are not used."""
    loss: Literal["info_nce", "siglip"] = "info_nce"
    """InfoNCE, or the loss of SigLIP."""
    temperature: float = Field(default=0.07, gt=0)
    """At the start; it is learned, and its inverse is capped at 100."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """Of AdamW."""
    beta2: float = Field(default=0.98, ge=0, lt=1)
    """Of AdamW."""
    eps: float = Field(default=1e-6, gt=0)
    """Of AdamW."""
    weight_decay: float = Field(default=0.2, ge=0)
    """Of AdamW; not of vectors and scalars."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Norm to which gradients are clipped; null does not clip."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Decay of averaged weights; null keeps none."""
    precision: Literal["fp32", "bf16", "amp"] = "fp32"
    """Of the forward pass."""
    checkpoint_activations: bool = False
    """Whether activations are computed again in the backward pass, to save memory."""
    compile: bool = False
    """Whether torch.compile is used."""
    seed: int = 0
    """Seed of the order, the texts and the dropout."""
    workers: int = Field(default=0, ge=0)
    """Processes that load data."""
    processes: int = Field(default=1, ge=1)
    """Processes that train together, on a Ray cluster."""
    unreadable_max: float = Field(default=0.05, ge=0, le=1)
    """Share of the records that may be unreadable."""
    checkpoint_steps: int = Field(default=100, ge=1)
    """Steps between checkpoints."""
    log_steps: int = Field(default=1, ge=1)
    """Steps between lines of metrics.jsonl."""
    keep: int = Field(default=2, ge=1)
    """Checkpoints that are kept."""

    @model_validator(mode="before")
    @classmethod
    def _presets(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("modalities"), dict):
            return data
        # null takes a modality out that a recipe below this one has.
        named = {name: each for name, each in data["modalities"].items() if each is not None}
        return {**data, "modalities": {name: _with_preset(name, each) for name, each in named.items()}}


def _with_preset(modality: str, given: Any) -> Any:
    """The published numbers under the keys that are given."""
    if not isinstance(given, dict) or not given.get("preset"):
        return given
    known = next(
        (each for (name, preset), each in PRESETS.items() if (name.value, preset) == (modality, given["preset"])), None
    )
    if known is None:
        raise ValueError(f"modalities.{modality}: no preset {given['preset']!r} is published for it")
    merged = {**known, **given}
    for key in ("lora", "fbank"):
        if isinstance(known.get(key), dict) and isinstance(given.get(key), dict):
            merged[key] = {**known[key], **given[key]}
    return merged
