"""The section `train` of a recipe: the towers, the texts, the loss, the training loop, and the published presets."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any, Literal, TypedDict

from pydantic import Field, PositiveFloat, model_validator

from vidal.config.base import ModelSpec, Settings


class Modality(str, Enum):
    """A kind of media that an encoder accepts. Each is bound to language, and through language to the others."""

    VIDEO = "video"
    DEPTH = "depth"
    INFRARED = "infrared"
    AUDIO = "audio"
    IMAGE = "image"


class Lora(Settings):
    """Low-rank adapters (Hu et al. 2022) on the q, k, v and output projections of attention. For videos, only the attention over time
    has them.
    """

    rank: int = Field(default=16, ge=1)
    """Rank of the adapters."""
    alpha: float = Field(default=16.0, gt=0)
    """The scale of the adapters is `alpha` / `rank`."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout before the adapters."""


class Fbank(Settings):
    """The log mel spectrogram of a sound, as Kaldi computes it."""

    mel_bins: int = Field(default=128, ge=8)
    """Number of mel bins."""
    frames: int = Field(default=1024, ge=16)
    """Number of windows that the encoder is given. A window lasts 25 ms, and a window begins every 10 ms."""
    fill: Literal["zero", "tile"] = "zero"
    """How a sound with fewer windows than `frames` is filled up. `zero` appends zeros. `tile` repeats the sound. Of a longer sound,
    the beginning, middle and end are used."""


class Encoder(Settings):
    """The encoder of one modality."""

    model: ModelSpec = ModelSpec(adapter="efficientnet")
    """Pretrained network that the encoder starts from."""
    tuning: Literal["lora", "attention", "full", "head", "frozen"] = "full"
    """Which weights are trained. `lora` trains low-rank adapters, class embedding, last norm and projection, as LanguageBind does.
    `attention` trains the weights of the attention in place of the adapters. `full` trains all weights. `head` trains the last
    layers. `frozen` trains none."""
    lora: Lora = Lora()
    """Low-rank adapters, if `tuning` is `lora`."""
    patch_dropout: float = Field(default=0.0, ge=0, lt=1)
    """Share of the patches of a picture that a training step leaves out."""
    frames: int = Field(default=8, ge=1)
    """Number of frames taken from a video."""
    side: int = Field(default=224, ge=16)
    """Side of the square picture that the encoder is given, in pixels."""
    random_crop: bool = False
    """Whether a training picture is cropped at a random place along its longer side, as LanguageBind does for videos. If false, it is
    cropped in the centre."""
    flip: float = Field(default=0.0, ge=0, le=1)
    """Probability that a training picture is mirrored from left to right."""
    fbank: Fbank = Fbank()
    """Spectrogram of a sound."""
    views: dict[str, float] | None = None
    """Weights of the views for this modality. `null` uses `train.views`."""
    clip_norm: PositiveFloat | Literal["off"] | None = None
    """Largest norm of the gradients. `off` does not clip them. `null` uses `train.clip_norm`. With a `preset`, the default is `off`."""
    preset: Literal["paper", "script"] | None = None
    """Published settings of LanguageBind. `paper` uses those of the paper. `script` uses those of the published scripts. Keys that you
    set yourself override them."""
    epochs: int = Field(default=10, ge=1)
    """Number of passes over the data."""
    batch_size: int = Field(default=16, ge=2)
    """Number of clips in a training step, over all processes."""
    accumulate: int = Field(default=1, ge=1)
    """Number of chunks in which the batch of a step is computed. More chunks need less memory."""
    lr: float = Field(default=1e-4, gt=0)
    """Highest learning rate."""
    lr_factors: dict[str, float] = Field(default_factory=dict)
    """Factors of the learning rate. A factor applies to the weights whose names begin with its key."""
    warmup_steps: int = Field(default=0, ge=0)
    """Number of steps in which the learning rate rises to `lr`."""


class _LoraPreset(TypedDict):
    rank: int
    alpha: float
    dropout: float


class _FbankPreset(TypedDict):
    mel_bins: int
    frames: int
    fill: Literal["zero", "tile"]


class Preset(TypedDict, total=False):
    """The settings of an Encoder that a preset fills in."""

    epochs: int
    lr: float
    batch_size: int
    warmup_steps: int
    patch_dropout: float
    tuning: Literal["lora", "attention", "full", "head", "frozen"]
    clip_norm: Literal["off"]
    views: dict[str, float]
    lora: _LoraPreset
    fbank: _FbankPreset


# On video, infrared and depth, LanguageBind's scripts train with one text of a clip, the rewritten caption ("polish_mplug").
_SEEN: Preset = {"views": {"enhanced": 1.0}}


def _published(epochs: int, lr: float, batch: int, warmup: int, mask: float, rank: int, dropout: float) -> Preset:
    """Returns the given settings, and those that are the same in all presets.

    batch: the number of samples in a step, over all processes and chunks. mask: the share of patches that are left out. rank, dropout:
    the rank of the low-rank adapters, and the dropout before them.
    """
    return {
        "epochs": epochs,
        "lr": lr,
        "batch_size": batch,
        "warmup_steps": warmup,
        "patch_dropout": mask,
        "tuning": "lora",
        "clip_norm": "off",
        "lora": {"rank": rank, "alpha": 16.0, "dropout": dropout},
    }


# "paper": the appendix of Zhu et al. 2024. "script": the scripts of their repository, which differ from the appendix.
PRESETS: dict[tuple[Modality, str], Preset] = {
    (Modality.VIDEO, "paper"): {**_SEEN, **_published(16, 1e-4, 640, 2000, 0.3, 16, 0.0)},
    (Modality.VIDEO, "script"): {**_SEEN, **_published(16, 1e-4, 640, 2000, 0.3, 16, 0.0)},
    (Modality.INFRARED, "paper"): {**_SEEN, **_published(1, 1e-4, 1024, 200, 0.5, 2, 0.1)},
    (Modality.INFRARED, "script"): {**_SEEN, **_published(1, 1e-4, 1024, 200, 0.5, 2, 0.0)},
    (Modality.DEPTH, "paper"): {**_SEEN, **_published(1, 5e-4, 1024, 200, 0.5, 2, 0.1)},
    (Modality.DEPTH, "script"): {**_SEEN, **_published(1, 5e-4, 1024, 200, 0.5, 2, 0.0)},
    (Modality.AUDIO, "paper"): _published(8, 5e-4, 512, 2000, 0.3, 16, 0.1),
    (Modality.AUDIO, "script"): {
        **_published(16, 1e-3, 1024, 2000, 0.1, 16, 0.0),
        "fbank": {"mel_bins": 126, "frames": 1036, "fill": "tile"},
    },
}


class Train(Settings):
    """vidal trains one encoder for each modality. A frozen text encoder, the language tower, turns texts into vectors."""

    text: ModelSpec = ModelSpec(adapter="minilm")
    """The language tower."""
    modalities: dict[Modality, Encoder] = Field(default_factory=dict)
    """The encoder of each modality, such as `{depth: {epochs: 5}}`. `{depth: null}` removes an inherited encoder."""
    views: dict[str, float] = Field(
        default_factory=lambda: {"title": 1.0, "keyframe": 1.0, "video": 1.0, "enhanced": 1.0}
    )
    """Each time a clip is used, one of its views is drawn as its text. The weights say how likely each view is. A view without a weight
    is never drawn. If the caption of one frame is drawn, encoders of single pictures get this frame."""
    splits: tuple[Literal["train", "val", "test"], ...] = ("train",)
    """Splits to train on."""
    skip_flags: tuple[str, ...] = ("unsupported",)
    """Captions with one of these flags are not used."""
    loss: Literal["info_nce", "siglip"] = "info_nce"
    """`info_nce` is InfoNCE. `siglip` is the loss of SigLIP."""
    temperature: float = Field(default=0.07, gt=0)
    """Initial temperature of the loss. It is learned. Its inverse is at most 100."""
    beta1: float = Field(default=0.9, ge=0, lt=1)
    """First beta of AdamW."""
    beta2: float = Field(default=0.98, ge=0, lt=1)
    """Second beta of AdamW."""
    eps: float = Field(default=1e-6, gt=0)
    """Epsilon of AdamW."""
    weight_decay: float = Field(default=0.2, ge=0)
    """Weight decay of AdamW. It does not apply to vectors and scalars."""
    clip_norm: float | None = Field(default=1.0, gt=0)
    """Largest norm of the gradients. Larger gradients are scaled down. `null` does not clip them."""
    ema: float | None = Field(default=None, gt=0, lt=1)
    """Decay of the exponential moving average of the weights. `null` computes no average."""
    precision: Literal["fp32", "bf16", "amp"] = "fp32"
    """Precision of the forward pass. `amp` is bf16 on a CPU. On a GPU, it is float16 with a scaled loss."""
    checkpoint_activations: bool = False
    """Whether activations are computed again in the backward pass, to save memory."""
    compile: bool = False
    """Whether `torch.compile` is used."""
    seed: int = 0
    """Seed of the order of the clips, the choice of texts and the dropout."""
    workers: int = Field(default=0, ge=0)
    """Number of processes that load data. With 0, the training process loads them."""
    processes: int = Field(default=1, ge=1)
    """Number of processes that train together. More than one needs a Ray cluster."""
    unreadable_max: float = Field(default=0.05, ge=0, le=1)
    """The training stops if a larger share of the clips cannot be read."""
    checkpoint_steps: int = Field(default=100, ge=1)
    """Steps between two checkpoints."""
    log_steps: int = Field(default=1, ge=1)
    """Steps between two lines of `metrics.jsonl`."""
    keep: int = Field(default=2, ge=1)
    """How many of the last checkpoints are kept."""
    eval_steps: int | None = Field(default=None, ge=1)
    """Steps between two measurements of retrieval on the split `val`. `null` measures only at the end. Nothing is measured if `val`
    has no clips or is trained on."""
    patience: int | None = Field(default=None, ge=1)
    """The training of a modality stops after this many measurements in a row without better retrieval. The weights with the best
    retrieval are saved. `null` never stops early, and saves the last weights. Needs `eval_steps`."""

    def clip_norm_of(self, modality: Modality) -> float | None:
        """Returns the norm that the gradients of a modality are clipped to; None if they are not clipped."""
        own = self.modalities[modality].clip_norm
        return self.clip_norm if own is None else None if own == "off" else own

    def views_of(self, modality: Modality) -> dict[str, float]:
        """Returns the weight of each view when a text is drawn for a modality: the modality's own weights, else those of train.views."""
        encoder = self.modalities.get(modality)
        return self.views if encoder is None or encoder.views is None else encoder.views

    @model_validator(mode="after")
    def _patience_needs_measurements(self) -> Train:
        if self.patience is not None and self.eval_steps is None:
            raise ValueError(
                "patience needs eval_steps, the number of steps between measurements on the split val: set eval_steps too"
            )
        return self

    @model_validator(mode="after")
    def _sounds_are_not_cropped(self) -> Train:
        sound = self.modalities.get(Modality.AUDIO)
        if sound is not None and (sound.random_crop or sound.flip):
            raise ValueError("modalities.audio: random_crop and flip apply only to pictures: remove them")
        return self

    @model_validator(mode="before")
    @classmethod
    def _presets(cls, data: Any) -> Any:
        if not isinstance(data, dict) or not isinstance(data.get("modalities"), dict):
            return data
        # null removes a modality that this recipe inherits from the recipe that it extends.
        encoders = {name: encoder for name, encoder in data["modalities"].items() if encoder is not None}
        return {**data, "modalities": {name: _with_preset(name, encoder) for name, encoder in encoders.items()}}


def _with_preset(modality: str, given: Any) -> Any:
    """Returns the settings of an encoder. Those that the recipe does not give come from the preset that it names.

    given: the settings in the recipe, with the name of the preset under "preset". Without this name, `given` is returned. Raises
    ValueError if the modality has no preset of this name.
    """
    if not isinstance(given, dict) or not given.get("preset"):
        return given
    presets = {preset: values for (name, preset), values in PRESETS.items() if name.value == modality}
    if given["preset"] not in presets:
        choices = (
            f"choose from {', '.join(presets)}" if presets else f"{modality} has no presets, so remove the key preset"
        )
        raise ValueError(f"modalities.{modality}.preset is {given['preset']!r}, which does not exist: {choices}")
    known: Mapping[str, object] = presets[given["preset"]]
    merged = {**known, **given}
    for key in ("lora", "fbank"):
        own = known.get(key)
        if isinstance(own, dict) and isinstance(given.get(key), dict):
            merged[key] = {**own, **given[key]}
    return merged
