"""Memory of texts: of encoding many prompts, and of opening the features of a million captions.

    python -m benchmarks.text_memory [--prompts 1000 4000]

Prompts go through the adapter clip and a language tower of the size of ViT-L/14's with random weights: memory does not depend on them.
Each number of prompts has a process of its own. The captions are synthetic, in ten shards, and their features constant: the time and the
memory of a tower are in no figure about them.
"""

from __future__ import annotations

import argparse
import json
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
import transformers

from tests.support.tiny_models import WORDS, ends, save_tokenizer
from vidal.config.base import ModelSpec
from vidal.storage.storage import Storage
from vidal.train.opening import open_text_tower
from vidal.train.texts import TextFeatures
from vidal.train.training_samples import Captions

VIT_L = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12}
CAPTIONS, SHARDS, WIDTH = 10**6, 10, 768


class Peak(TypedDict):
    """Resident memory in MB. start: before the prompts are encoded. peak: the highest while they are."""

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


def save_tower(folder: Path) -> None:
    """Saves a CLIP with the language tower of ViT-L/14 and a tiny vision tower, of random weights."""
    words = save_tokenizer(folder)
    text, vision = {**VIT_L, **ends(words)}, {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH)
    transformers.CLIPModel(config).save_pretrained(folder)
    transformers.CLIPImageProcessor().save_pretrained(folder)
    transformers.CLIPTokenizer.from_pretrained(str(folder)).save_pretrained(folder)


def encode_prompts(folder: str, count: int) -> Peak:
    """Encodes prompts in this process, which must run on Linux."""
    tower = open_text_tower(ModelSpec(adapter="clip", id=folder), torch.device("cpu"))
    prompts = [f"a photo of a {WORDS[number % len(WORDS)]} and a {WORDS[number % 5]}" for number in range(count)]
    start = psutil.Process().memory_info().rss / 1e6
    Path("/proc/self/clear_refs").write_text("5")  # The highest resident memory is measured from here on.
    assert tower.encode(prompts).shape == (count, WIDTH)
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text().splitlines())
    return {"start": start, "peak": int(status["VmHWM"].split()[0]) * 1024 / 1e6}


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prompts", type=int, nargs="+", default=[1000, 4000])
    counts = parser.parse_args().prompts
    print("| prompts | before them | peak |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        save_tower(Path(folder))
        for count in counts:
            peak = in_a_process(f"encode_prompts({folder!r}, {count})")
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
