"""Comparisons of what is computed: towers, loss, schedule, metrics. Weights and scores are random, and the same on both sides."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from zlib import crc32

import numpy as np
import torch
from torch.nn import functional as F

from benchmarks.parity_inputs import largest
from benchmarks.peers import LANGUAGEBIND, Comparison, languagebind, languagebind_file, peer
from tests.support.tiny_models import ends, save_clip, save_tokenizer
from vidal import load_encoder
from vidal.config.base import ModelSpec
from vidal.evaluate import classification, templates
from vidal.evaluate.benchmarks import thermal
from vidal.evaluate.retrieval import Retrieval, retrieve, retrieve_groups
from vidal.train import optimiser
from vidal.train.loss import info_nce
from vidal.train.opening import open_tower
from vidal.train.settings import Encoder, Modality
from vidal.train.towers.embeddings import resize_positions
from vidal.train.towers.patches import drop_patches

WIDTH, TEXTS = 12, ["a photo of a cat", "piano", "a dog of a dog and a cat"]
TINY = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
VISION = {**TINY, "image_size": 32, "patch_size": 8, "lora_alpha": 16}


def tower(kind: str, shape: tuple[int, ...], **vision: Any) -> Callable[[], float]:
    """Returns the comparison of a published tower. kind: of LanguageBind's class. shape: of its pixels."""

    def difference() -> float:
        with tempfile.TemporaryDirectory() as folder:
            theirs = _published(Path(folder), kind, **vision).double()
            pixels = torch.randn(*shape, dtype=torch.float64)
            ours = next(iter(load_encoder(folder, "cpu")._towers.values())).double()
            with torch.no_grad():
                features = ours(pixels.transpose(1, 2) if pixels.ndim == 5 else pixels)
                expected = theirs.get_image_features(pixel_values=pixels)
            return largest(F.normalize(features, dim=-1), F.normalize(expected, dim=-1))

    return difference


def languagebind_text() -> float:
    with tempfile.TemporaryDirectory() as folder:
        theirs = _published(Path(folder), "Image")
        # Its own class of tokenizers is this one, but cannot be built any more.
        tokenizer = peer("transformers").CLIPTokenizer.from_pretrained(folder)
        tokens = tokenizer(TEXTS, max_length=77, padding="max_length", truncation=True, return_tensors="pt")
        with torch.no_grad():
            expected = F.normalize(theirs.get_text_features(tokens["input_ids"], tokens["attention_mask"]), dim=-1)
        return largest(load_encoder(folder, "cpu").encode_text(TEXTS), expected)


def _published(folder: Path, kind: str, **vision: Any) -> Any:
    """Writes a checkpoint of LanguageBind's class as it is published, and returns the model."""
    words = save_tokenizer(folder)
    config = getattr(languagebind(), f"LanguageBind{kind}Config")(
        text_config={**TINY, **ends(words)}, vision_config={**VISION, **vision}, projection_dim=WIDTH
    )
    for each in (config, config.text_config, config.vision_config):
        each._attn_implementation = "eager"
    torch.manual_seed(0)
    model = getattr(languagebind(), f"LanguageBind{kind}")(config).eval()
    for each in (config.text_config, config.vision_config):
        each._attn_implementation = (
            "sdpa"  # In double precision; the other one computes its softmax in single precision.
        )
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.3)  # The adapters do something too.
    if kind == "Audio":
        model.resize_pos(model.vision_model.embeddings, config.vision_config)
    parts = {"text_config": config.text_config.to_dict(), "vision_config": config.vision_config.to_dict()}
    written = {"model_type": f"LanguageBind{kind}", "projection_dim": WIDTH, **parts}
    (folder / "config.json").write_text(json.dumps(written))
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    return model


def languagebind_positions() -> float:
    """From the square of ViT-L/14 to the wide picture of the published encoder of sounds."""
    audio = languagebind("languagebind").audio
    config = SimpleNamespace(num_mel_bins=112, target_length=1036)
    embeddings = torch.nn.Module()
    vars(embeddings).update(image_size=224, patch_size=14, embed_dim=32, config=SimpleNamespace())
    embeddings.position_embedding = torch.nn.Embedding(257, 32)
    start = embeddings.position_embedding.weight.detach().clone()
    audio.modeling_audio.LanguageBindAudio.resize_pos(None, embeddings, config)
    return largest(resize_positions(start, [16, 16], [8, 74]), embeddings.position_embedding.weight.detach())


def open_clip_positions() -> float:
    visual = SimpleNamespace(grid_size=(8, 64))
    state = {"visual.positional_embedding": torch.randn(257, 32)}
    start = state["visual.positional_embedding"].clone()
    peer("open_clip.model").resize_pos_embed(state, SimpleNamespace(visual=visual))
    return largest(resize_positions(start, [16, 16], [8, 64]), state["visual.positional_embedding"])


def languagebind_patches() -> float:
    """The number of patches that are kept, at the shares of the published settings."""
    dropout, differences = languagebind().video.modeling_video.PatchDropout, []
    for patches, share in ((256, 0.3), (256, 0.5), (592, 0.1), (592, 0.3), (50, 0.25)):
        tokens = torch.randn(1, 1 + patches, 2)
        theirs = dropout(share).train()(tokens, 1, 1)
        differences.append(abs(drop_patches(tokens, share).shape[1] - theirs.shape[1]))
    return float(max(differences))


def transformers_tower() -> float:
    transformers = peer("transformers")
    with tempfile.TemporaryDirectory() as folder:
        model = ModelSpec(adapter="clip", id=save_clip(Path(folder), WIDTH))
        settings = Encoder.model_validate({"model": model, "side": 32, "tuning": "lora"})
        ours = open_tower(Modality.IMAGE, settings, WIDTH).eval().double()
        theirs = transformers.CLIPModel.from_pretrained(folder).eval().double()
        pixels = torch.randn(3, 3, 32, 32, dtype=torch.float64)
        with torch.no_grad():
            features = theirs.get_image_features(pixels)  # A tensor before transformers 5.
            return largest(ours(pixels), getattr(features, "pooler_output", features))


def open_clip_tower() -> float:
    open_clip, name = peer("open_clip"), "ViT-S-32-alt"
    torch.manual_seed(0)
    model = open_clip.create_model(name)
    with tempfile.TemporaryDirectory() as folder:
        torch.save(model.state_dict(), Path(folder) / "weights.pt")
        spec = ModelSpec(adapter="open_clip", id=f"{name}/{folder}/weights.pt")
        ours = open_tower(Modality.IMAGE, Encoder(model=spec), model.visual.output_dim).eval().double()
    pixels = torch.randn(2, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        return largest(ours(pixels), model.eval().double().encode_image(pixels))


def open_clip_loss() -> float:
    return _loss(peer("open_clip").ClipLoss())


def languagebind_loss() -> float:
    return _loss(languagebind_file("open_clip/loss.py").ClipLoss())


def _loss(theirs: Any) -> float:
    """Compares the loss and its gradients."""
    differences = []
    for scale in (1.0, 14.3, 100.0):
        results = []
        for loss in (info_nce, theirs):
            x, y = (_unit(seed, 40).requires_grad_() for seed in (1, 2))
            temperature = torch.tensor(scale, dtype=torch.float64, requires_grad=True)
            value = loss(x, y, temperature)
            results.append([value.detach(), *torch.autograd.grad(value, (x, y, temperature))])
        differences += [largest(one, other) for one, other in zip(*results, strict=True)]
    return max(differences)


def open_clip_schedule() -> float:
    return _schedule(peer("open_clip_train.scheduler").cosine_lr)


def languagebind_schedule() -> float:
    return _schedule(languagebind("training.scheduler").cosine_lr)


def _schedule(cosine: Any) -> float:
    """Compares the rates of all steps, in shares of the largest rate."""
    differences = []
    for steps, warmup in ((1000, 200), (57, 0), (10, 10)):
        group = SimpleNamespace(param_groups=[{"lr": 0.0}])
        adjust, encoder = cosine(group, 1.0, warmup, steps), Encoder(lr=1.0, warmup_steps=warmup)
        differences.append(
            largest([optimiser.rate(step, steps, encoder) for step in range(steps)], [*map(adjust, range(steps))])
        )
    return max(differences)


def clip4clip_metrics() -> float:
    """One caption a clip, both ways, by the file that LanguageBind has from CLIP4Clip."""
    metrics = languagebind("vl_ret.metrics")
    texts, clips, own = _unit(1, 300).float().numpy(), _unit(2, 300).float().numpy(), np.arange(300)
    texts = texts + 2 * clips
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    scores = texts @ clips.T
    forth = _ranked(retrieve(texts, clips, own, own), metrics.compute_metrics(scores))
    return max(forth, _ranked(retrieve(clips, texts, own, own), metrics.compute_metrics(scores.T)))


def clip4clip_captions() -> float:
    """Several captions a clip, both ways, as its benchmarks of MSVD arrange them."""
    metrics = languagebind("vl_ret.metrics")
    clips, counts = _unit(2, 90).float().numpy(), np.random.default_rng(0).integers(1, 6, 90)
    groups = np.repeat(np.arange(90), counts)
    texts = _unit(3, len(groups)).float().numpy() + clips[groups]
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    scores = np.full((90, counts.max(), 90), -np.inf)
    for clip in range(90):
        scores[clip, : counts[clip]] = texts[groups == clip] @ clips.T
    forth = metrics.tensor_text_to_video_metrics(torch.tensor(scores))
    back = metrics.compute_metrics(metrics.tensor_video_to_text_sim(torch.tensor(scores)).numpy())
    own = np.arange(90)
    ours = retrieve(texts, clips, groups, own), retrieve_groups(clips, texts, own, groups)
    return max(_ranked(*pair) for pair in zip(ours, (forth, back), strict=True))


def _ranked(ours: Retrieval, theirs: dict[str, float]) -> float:
    expected = [theirs[f"R{k}"] / 100 for k in (1, 5, 10)] + [theirs["MedianR"], theirs["MeanR"]]
    return largest([*ours.recall.values(), ours.median_rank, ours.mean_rank], expected)


def sklearn_accuracy() -> float:
    metrics, (scores, labels) = peer("sklearn.metrics"), _scores()
    measured = classification.accuracy(scores, labels)
    return max(
        abs(measured[f"top{k}"] - metrics.top_k_accuracy_score(labels, scores, k=k, labels=range(12))) for k in (1, 5)
    )


def languagebind_precision() -> float:
    scores, labels = _scores()
    truth = np.eye(12, dtype=int)[labels] | np.eye(12, dtype=int)[labels[::-1]]
    stats = languagebind("a_cls.stats").calculate_stats(scores, truth)
    measured = classification.mean_average_precision(scores, [tuple(np.flatnonzero(row)) for row in truth])
    return abs(measured["mAP"] - float(np.mean([each["AP"] for each in stats])))


def languagebind_mean_of_views() -> float:
    """The classes of Kinetics, by the mean of the probabilities of fifteen views."""
    from scipy.special import softmax

    merge, generator = languagebind("v_cls.zeroshot_cls"), np.random.default_rng(0)
    scores, labels = generator.uniform(-0.05, 0.05, (200, 15, 12)), generator.integers(0, 12, 200)
    measured = classification.accuracy(classification.mean_probabilities(scores), labels)
    rows = [[softmax(100 * view) for view in video] for video in scores]
    theirs = [merge.compute_video([0, "name", row, label]) for row, label in zip(rows, labels, strict=True)]
    return max(
        abs(measured[f"top{k}"] - float(np.mean([each[place] for each in theirs]))) for k, place in ((1, 1), (5, 2))
    )


def open_clip_classes() -> float:
    """The vectors of classes, by the eighty templates."""
    open_clip, names = peer("open_clip"), ["cat", "dog", "traffic light"]
    model = SimpleNamespace(encode_text=lambda texts, normalize: F.normalize(_hashed(texts), dim=-1))
    theirs = open_clip.build_zero_shot_classifier(
        model, lambda texts: _Texts(texts), names, open_clip.OPENAI_IMAGENET_TEMPLATES
    )
    ours = classification.class_vectors(
        lambda texts: F.normalize(_hashed(texts), dim=-1).numpy(), names, templates.PHOTO
    )
    return largest(ours, theirs.T)


def languagebind_templates() -> float:
    """How many templates of all its tasks differ."""
    ours = {
        "v": templates.pictures("video"),
        "d": templates.pictures("depth photo"),
        "t": templates.PHOTO,
        "a": templates.SOUND,
    }
    differing = 0
    for task, own in ours.items():
        theirs = languagebind_file(f"{task}_cls/zero_shot_metadata.py").OPENAI_IMAGENET_TEMPLATES
        differing += len({each("{}") for each in theirs} ^ set(own))
    return float(differing)


def languagebind_class_names() -> float:
    """How many names of the classes of infrared pictures differ."""
    theirs = languagebind_file("t_cls/zero_shot_metadata.py").CLASSNAMES
    ours = {"LLVIP": thermal.LLVIP, "FLIRV1": thermal.FLIR_V1, "FLIRV2": thermal.FLIR_V2}
    return float(sum(len(set(theirs[task]) ^ set(names.values())) for task, names in ours.items()))


class _Texts(list[str]):
    def to(self, device: object) -> _Texts:
        return self


def _hashed(texts: list[str]) -> torch.Tensor:
    """Returns (n, 8) float32 that depends on each text alone."""
    return torch.stack(
        [torch.randn(8, generator=torch.Generator().manual_seed(crc32(text.encode()))) for text in texts]
    )


def _unit(seed: int, count: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, 16, generator=generator, dtype=torch.float64), dim=-1)


def _scores() -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 12, 300)
    return generator.normal(size=(300, 12)) + np.eye(12)[labels], labels


IMAGE, CLIP = (2, 3, 32, 32), (2, 3, 4, 32, 32)
TIME = {"add_time_attn": True, "num_frames": 4}
COMPARISONS = (
    Comparison("tower of pictures, LoRA", LANGUAGEBIND, 1e-6, tower("Image", IMAGE, lora_r=2)),
    Comparison("tower of depth, LoRA", LANGUAGEBIND, 1e-6, tower("Depth", IMAGE, lora_r=2)),
    Comparison("tower of infrared, full tuning", LANGUAGEBIND, 1e-6, tower("Thermal", IMAGE, lora_r=0)),
    Comparison(
        "tower of sounds, LoRA",
        LANGUAGEBIND,
        1e-6,
        tower("Audio", (2, 3, 16, 40), lora_r=4, num_mel_bins=16, target_length=40),
    ),
    Comparison("tower of videos, LoRA", LANGUAGEBIND, 1e-6, tower("Video", CLIP, lora_r=2, **TIME)),
    Comparison(
        "tower of videos, V1.5",
        LANGUAGEBIND,
        1e-6,
        tower("Video", CLIP, lora_r=0, clip_type="vl_new", tube_size=1, **TIME),
    ),
    Comparison("language tower", LANGUAGEBIND, 1e-6, languagebind_text),
    Comparison("tower, adapter clip", "transformers", 1e-6, transformers_tower),
    Comparison("tower, adapter open_clip", "open_clip_torch", 1e-6, open_clip_tower),
    Comparison("embeddings of positions, for a wide picture", LANGUAGEBIND, 1e-6, languagebind_positions),
    Comparison("embeddings of positions, for a wide picture", "open_clip_torch", 1e-6, open_clip_positions),
    Comparison("patch dropout: number of patches", LANGUAGEBIND, 0, languagebind_patches),
    Comparison("loss and its gradients", "open_clip_torch", 1e-9, open_clip_loss),
    Comparison("loss and its gradients", LANGUAGEBIND, 1e-9, languagebind_loss),
    Comparison("learning rate, every step", "open_clip_torch", 1e-12, open_clip_schedule),
    Comparison("learning rate, every step", LANGUAGEBIND, 1e-12, languagebind_schedule),
    Comparison("retrieval, one caption (CLIP4Clip)", LANGUAGEBIND, 1e-6, clip4clip_metrics),
    Comparison("retrieval, several captions (CLIP4Clip)", LANGUAGEBIND, 1e-6, clip4clip_captions),
    Comparison("top-1 and top-5", "scikit-learn", 1e-12, sklearn_accuracy),
    Comparison("mAP", LANGUAGEBIND, 1e-12, languagebind_precision),
    Comparison("top-1 and top-5 of fifteen views", LANGUAGEBIND, 1e-12, languagebind_mean_of_views),
    Comparison("vectors of classes, by the eighty templates", "open_clip_torch", 1e-6, open_clip_classes),
    Comparison("templates: number that differ", LANGUAGEBIND, 0, languagebind_templates),
    Comparison(
        "names of the classes of infrared pictures: number that differ", LANGUAGEBIND, 0, languagebind_class_names
    ),
)
