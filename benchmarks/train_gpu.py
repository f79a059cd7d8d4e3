"""A ViT-L/14 step in bf16 on a GPU against a bare step, its model FLOP utilisation, and the loader alone against what the GPU eats.

Weights are random: the time of a step does not depend on them. Says so and measures nothing where there is no GPU; `--device cpu
--model ViT-B-32 --batch 8 --precision fp32` runs the same code on a CPU, to see that it runs.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.train import bare, dataset, random_weights, trainer
from vidal.models.threads import usable_cores
from vidal.storage.storage import Storage
from vidal.train.modality_trainer import ModalityTrainer

# Dense bf16, TFLOP/s, by their data sheets.
PEAKS = {"H200": 989.4, "H100": 989.4, "A100": 311.9, "L40S": 362.0, "L4": 121.0}


def step_s(step: Callable[[], Any], device: torch.device, steps: int) -> float:
    """Median seconds of a step after two that warm up."""
    times = []
    for number in range(steps + 2):
        started = time.perf_counter()
        step()
        _wait(device)
        if number >= 2:
            times.append(time.perf_counter() - started)
    return statistics.median(times)


def flops(learner: ModalityTrainer) -> float:
    """Of a picture's way forward and back through the tower, as torch counts them."""
    pixels = torch.randn(2, 3, 224, 224, device=learner.device)
    with FlopCounterMode(display=False) as counter:
        learner.tower(pixels).sum().backward()
    learner.optimiser.zero_grad(set_to_none=True)
    return counter.get_total_flops() / len(pixels)


def product_flops_s(device: torch.device, side: int, dtype: torch.dtype) -> float:
    """FLOP/s of a matrix product: what this device reaches at best."""
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        left @ right
        _wait(device)
        best = min(best, time.perf_counter() - started)
    return 2 * side**3 / best


def loader_rate(learner: ModalityTrainer) -> float:
    """Samples/s of an epoch of batches that nobody computes with, the first batch left out."""
    batches = learner.stream.batches(1)
    next(batches)
    started, seen = time.perf_counter(), 0
    for batch in batches:
        seen += len(batch.texts)
    return seen / (time.perf_counter() - started)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--model", default="ViT-L-14")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--precision", choices=("bf16", "fp32"), default="bf16")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--workers", type=int, default=usable_cores())
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print(f"{asked.model} in bf16, its FLOP utilisation, the loader against it: not measured, there is no GPU here")
        return
    with tempfile.TemporaryDirectory() as folder:
        dataset(Path(folder), asked.batch * (asked.steps + 3))
        weights = random_weights(asked.model, Path(folder) / "weights.pt")
        train = {"precision": asked.precision, "workers": asked.workers}
        made = {
            kind: trainer(Storage(folder), weights, kind == "packed", asked.batch, asked.device, **train)
            for kind in ("decoding", "packed")
        }
        dtype = torch.bfloat16 if asked.precision == "bf16" else torch.float32
        report(
            asked.model, made, bare(weights, asked.batch, asked.device, dtype), asked.batch, asked.steps, asked.workers
        )


def report(
    model: str, made: dict[str, ModalityTrainer], bare_step: Callable[[], Any], batch: int, steps: int, workers: int
) -> None:
    learner = made["packed"]
    count = batch * flops(learner)
    seconds = step_s(learner.train_step, learner.device, steps)  # Data included.
    bare_s = step_s(bare_step, learner.device, steps)
    on_gpu = learner.device.type == "cuda"
    name = torch.cuda.get_device_name(learner.device) if on_gpu else "CPU"
    precision = learner.settings.precision
    print(
        f"{name}: {model}, full tuning, batch {batch}, {precision}, {workers} loader processes, median of {steps} steps"
    )
    print(f"step: {seconds * 1e3:.1f} ms, {batch / seconds:.1f} samples/s, {count / seconds / 1e12:.2f} TFLOP/s")
    print(f"bare step on a batch that is there: {bare_s * 1e3:.1f} ms; ours has {bare_s / seconds:.3f} of its speed")
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    product = product_flops_s(learner.device, 8192 if on_gpu else 1024, dtype)
    print(f"of a {precision} matrix product here ({product / 1e12:.2f} TFLOP/s): {count / seconds / product:.3f}")
    peak = next((rate for known, rate in PEAKS.items() if known in name), None)
    if peak and precision == "bf16":
        print(f"model FLOP utilisation, of {peak} TFLOP/s by the data sheet: {count / seconds / peak / 1e12:.3f}")
    for kind, each in made.items():
        rate = loader_rate(each)
        print(f"loader alone, {kind}: {rate:.0f} samples/s, {rate * seconds / batch:.2f} x what the step eats")


if __name__ == "__main__":
    main()
