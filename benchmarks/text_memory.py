"""Memory of texts: of encoding many prompts, and of opening the features of a million captions.

    python -m benchmarks.text_memory [--prompts 1000 4000]

Prompts go through a language tower of the size of ViT-L/14's with random weights, padded to 77 tokens as in LanguageBind: memory does not
depend on the weights. Each number of prompts has a process of its own. The captions are synthetic, in ten shards, and their features
constant: a tower's own time and memory are in neither figure.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

import numpy as np
import psutil
import pyarrow as pa
import torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection

from tests.support.tiny_models import WORDS, ends, save_tokenizer
from vidal.storage.storage import Storage
from vidal.train.published import Checkpoint, PublishedText
from vidal.train.settings import Encoder, Modality
from vidal.train.texts import TextFeatures
from vidal.train.training_samples import Captions

VIT_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
CAPTIONS, SHARDS, WIDTH = 10**6, 10, 768


class Peak(TypedDict):
    """start, peak: the highest resident memory in MB, before the prompts are encoded and after."""

    start: float
    peak: float


class Opened(TypedDict):
    """seconds: on the clock. processor_seconds: of this process. private: bytes that are in no file. rows: how many were read."""

    seconds: float
    processor_seconds: float
    private: int
    rows: int


class Constant:
    """A language tower that gives every text the same vector."""

    name, identity, width = "constant", "constant", WIDTH

    def encode(self, texts: list[str]) -> torch.Tensor:
        return torch.ones(len(texts), WIDTH) / WIDTH**0.5


def captions(count: int = CAPTIONS, shards: int = SHARDS) -> Captions:
    """Returns distinct captions, one a clip, in shards of the same size."""
    texts = pa.array([f"caption number {number} of many" for number in range(count)])
    places = np.arange(count)
    return Captions(
        np.arange(count + 1), places, places, places, ("title",), texts, (places // (count // shards)).astype(np.int32)
    )


def encode_prompts(count: int) -> Peak:
    """Encodes prompts in this process."""
    with tempfile.TemporaryDirectory() as folder:
        config = {**VIT_L, **ends(save_tokenizer(Path(folder))), "projection_dim": WIDTH}
        weights = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(config)).state_dict()
        checkpoint = Checkpoint(Modality.IMAGE, Encoder(), {}, {}, dict(weights), config, WIDTH)
        tower = PublishedText(Path(folder), checkpoint, torch.device("cpu"))
    prompts = [f"a photo of a {WORDS[number % len(WORDS)]} {number}" for number in range(count)]
    start = _peak_mb()
    assert tower.encode(prompts).shape == (count, WIDTH)
    return {"start": start, "peak": _peak_mb()}


def open_captions(folder: str) -> Opened:
    """Opens the features of all captions in this process, and reads one row in a thousand."""
    texts, process = captions(), psutil.Process()
    Constant().encode(["a"])
    before, started, cpu = _private(process), time.perf_counter(), time.process_time()
    table = TextFeatures(Storage(folder), Constant()).compute(texts)
    seconds, processor_seconds = time.perf_counter() - started, time.process_time() - cpu
    private = _private(process) - before
    rows = len(table[np.arange(0, CAPTIONS, 1000)])
    return {"seconds": seconds, "processor_seconds": processor_seconds, "private": private, "rows": rows}


def in_a_process(call: str) -> dict[str, float]:
    """Returns the result of a function of this module, called in a new process."""
    program = f"import json; from benchmarks import text_memory; print(json.dumps(text_memory.{call}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return result


def rewritten_segments(folder: str) -> int:
    """Adds a shard, and returns how many of the segments that were there are written again."""

    def times() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in Path(folder).rglob("*.npy")}

    before = times()
    TextFeatures(Storage(folder), Constant()).compute(captions(CAPTIONS + CAPTIONS // SHARDS, SHARDS + 1))
    after = times()
    assert len(after) == len(before) + 2, "the new shard has keys and features"
    return sum(after.get(path) != time for path, time in before.items())


def _private(process: psutil.Process) -> int:
    """Returns the bytes of resident memory that no file holds. USS also counts pages of files that no other process maps."""
    memory = process.memory_info()
    return int(memory.rss - memory.shared)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, nargs="+", default=[1000, 4000])
    counts = parser.parse_args().prompts
    print("| prompts | before them | peak |\n|---|---|---|")
    for count in counts:
        peak = in_a_process(f"encode_prompts({count})")
        print(f"| {count:,} | {peak['start']:,.0f} MB | {peak['peak']:,.0f} MB |", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        TextFeatures(Storage(folder), Constant()).compute(captions())
        opened = in_a_process(f"open_captions({folder!r})")
        size = sum(path.stat().st_size for path in Path(folder).rglob("*.npy"))
        print(f"\n{CAPTIONS:,} captions in {SHARDS} segments of together {size / 1e9:.2f} GB: opened in {opened['seconds']:.2f} s "
              f"({opened['processor_seconds']:.2f} s of the processor), {opened['private'] / 1e6:.0f} MB private; "
              f"a shard more: {rewritten_segments(folder)} of the segments written again")  # fmt: skip


if __name__ == "__main__":
    main()
