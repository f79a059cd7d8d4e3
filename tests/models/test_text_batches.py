"""Texts in batches: each text keeps its vector, and memory does not grow with their number."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.support.tiny_models import ends, save_tokenizer
from vidal.models.text_batches import BATCH, embed_in_batches

# Encodes COUNT prompts with a published text tower of one layer, with random weights, in a process of its own. All at once, 4,000
# would need gigabytes; `python -m benchmarks.text_memory` measures a tower of the size of ViT-L/14's. Prints the memory that the
# encoding added, in bytes.
MEMORY = """
import json, sys, threading, time
from pathlib import Path
import psutil, torch
from transformers import CLIPTextConfig, CLIPTextModelWithProjection
from vidal.config.base import ModelSpec
from vidal.train.published import Checkpoint, PublishedText
from vidal.train.settings import Encoder, Modality

count, folder, ends = int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
torch.set_num_threads(1)
text = {"hidden_size": 256, "num_attention_heads": 4, "intermediate_size": 1024, "num_hidden_layers": 1,
        "projection_dim": 256, **ends}
weights = CLIPTextModelWithProjection(CLIPTextConfig.from_dict(text)).state_dict()
settings = Encoder(model=ModelSpec(adapter="clip"))
checkpoint = Checkpoint(Modality.VIDEO, settings, {"adapter": "clip"}, {}, weights, text, 256)
tower = PublishedText(folder, checkpoint, torch.device("cpu"))
tower.encode(["a photo of a cat"] * 64)
process, peak, done = psutil.Process(), [0], [False]
start = process.memory_info().rss

def watch():
    while not done[0]:
        peak[0] = max(peak[0], process.memory_info().rss)
        time.sleep(0.01)

thread = threading.Thread(target=watch)
thread.start()
tower.encode([f"a photo of a cat {k}" for k in range(count)])
done[0] = True
thread.join()
print(json.dumps({"start": start, "peak": peak[0]}))
"""


def test_each_text_keeps_its_vector():
    texts = ["x" * (k * 7 % 13 + 1) for k in range(2 * BATCH + 5)]
    sizes = []

    def embed(batch):
        sizes.append(len(batch))
        return np.array([[len(text), 1.0] for text in batch], np.float32)

    vectors = embed_in_batches(texts, embed)
    assert vectors[:, 0].tolist() == [len(text) for text in texts]
    assert max(sizes) == BATCH and sum(sizes) == len(texts)
    assert embed_in_batches([], embed).shape == (0, 2)


@pytest.mark.slow
def test_a_thousand_prompts_and_four_thousand_need_the_same_memory(tmp_path):
    words = save_tokenizer(tmp_path)
    peaks = []
    for count in (1000, 4000):
        done = subprocess.run(
            [sys.executable, "-c", MEMORY, str(count), str(tmp_path), json.dumps(ends(words))],
            capture_output=True,
            text=True,
            check=True,
        )
        peaks.append(json.loads(done.stdout.splitlines()[-1])["peak"])
    assert peaks[1] < 1.1 * peaks[0], peaks
