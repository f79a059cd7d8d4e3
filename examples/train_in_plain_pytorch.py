"""Trains a small network on a dataset in plain PyTorch: frames against captions, with the loss of CLIP. It imports nothing of vidal.

`python examples/train_in_plain_pytorch.py manifests/embedded`, after `make build-shard N=0`.
"""

import sys
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

SIDE, WORDS, WIDTH, STEPS = 64, 1024, 64, 20


def read_frame(path: Path) -> torch.Tensor:
    """Returns the picture, (3, SIDE, SIDE) in 0..1."""
    pixels = np.array(Image.open(path).convert("RGB").resize((SIDE, SIDE)))
    return torch.from_numpy(pixels).permute(2, 0, 1) / 255


def count_words(text: str) -> torch.Tensor:
    """Returns (WORDS,): how often each word occurs. A hash gives each word its place, so no vocabulary is needed."""
    places = [zlib.crc32(word.encode()) % WORDS for word in text.lower().split()]
    return torch.bincount(torch.tensor(places, dtype=torch.long), minlength=WORDS).float()


def main(out: Path) -> None:
    clips = pd.read_parquet(out)  # One row for each clip.
    clips = clips[clips.duplicate_of.isna()]  # Leaves out copies of other clips.
    samples = []  # A frame and its caption. Paths are relative to the dataset; a sound has no frames.
    for clip in clips.itertuples():
        for caption in clip.captions:
            if caption["view"] == "keyframe":  # Other views describe the whole clip.
                samples.append((clip.frame_paths[int(caption["frame"])], caption["text"]))
    frames = torch.stack([read_frame(out / path) for path, _ in samples])  # (n, 3, SIDE, SIDE)
    texts = torch.stack([count_words(text) for _, text in samples])  # (n, WORDS)
    convolutions = (nn.Conv2d(3, 16, 5, stride=4), nn.ReLU(), nn.Conv2d(16, 32, 5, stride=4), nn.ReLU())
    picture_net = nn.Sequential(*convolutions, nn.Flatten(), nn.LazyLinear(WIDTH))
    text_net = nn.Linear(WORDS, WIDTH)
    picture_net(frames[:1])  # The first input gives the lazy layer its size.
    optimiser = torch.optim.Adam([*picture_net.parameters(), *text_net.parameters()], lr=1e-3)
    for step in range(STEPS):
        batch = torch.randperm(len(samples))[:32]
        pictures, captions = F.normalize(picture_net(frames[batch]), dim=1), F.normalize(text_net(texts[batch]), dim=1)
        scores = pictures @ captions.T / 0.07  # Cosine similarities, divided by a temperature.
        right = torch.arange(len(batch))  # The right column of each row.
        loss = (F.cross_entropy(scores, right) + F.cross_entropy(scores.T, right)) / 2  # Symmetric InfoNCE.
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        print(f"step {step + 1} loss {loss.item():.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
