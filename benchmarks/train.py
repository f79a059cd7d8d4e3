"""Samples/s of the trainer against a bare loop of the same model and batch, and against open_clip's own loop with its text tower locked.

All three train ViT-B-32 (open_clip, full tuning) on the same pictures of a dataset on disk, in turn. Weights are random: the time of
a step does not depend on them. Ours and open_clip's read and decode in the same process.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import torch
from open_clip_train.train import train_one_epoch
from PIL import Image
from torch.nn import functional as F

from benchmarks.pipeline import clips
from vidal import schema
from vidal.media.frames import read_frames
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage.storage import Storage
from vidal.train import packed
from vidal.train.loss import info_nce
from vidal.train.modality_trainer import ModalityTrainer
from vidal.train.opening import open_text_tower, open_tower
from vidal.train.reading import Reader
from vidal.train.settings import Modality, Train
from vidal.train.texts import TextFeatures
from vidal.train.training_samples import read_samples

MODEL, BATCH, STEPS = "ViT-B-32", 16, 3
ADAMW = {"lr": 1e-4, "betas": (0.9, 0.98), "eps": 1e-6, "weight_decay": 0.2}


def dataset(folder: Path, count: int) -> list[tuple[Path, str]]:
    """A manifest of one frame a clip, that many of them; and these files with their titles."""
    rows, found, sources = [], [], clips()
    images = [image for path in sources for image in read_frames(path, 8, "linspace", 256)[1]]
    for number in range(count):
        name = f"_media/shard-00000/{number}/0.jpg"
        (folder / name).parent.mkdir(parents=True)
        images[number % len(images)].save(folder / name, quality=92)
        title = f"clip number {number} of what was filmed"
        text = {"view": "title", "text": title, "frame": None, "flags": []}
        row = {
            "clip_id": str(number),
            "kind": "video",
            "shard": 0,
            "split": "train",
            "frame_paths": [name],
            "contaminates": [],
        }
        rows.append({**row, "captions": [text]})
        found.append((folder / name, title))
    Storage(str(folder)).write_table("shard-00000.parquet", schema.table(rows, manifest_schema(VIEWS)))
    return found


def random_weights(model: str, file: Path) -> str:
    """Saved, as an id of the open_clip adapter."""
    torch.manual_seed(0)
    torch.save(open_clip.create_model(model).state_dict(), file)
    return f"{model}/{file}"


def trainer(
    storage: Storage, weights: str, pack: bool, batch: int, device: str = "cpu", **train: Any
) -> ModalityTrainer:
    """An encoder of pictures on its way, by the trainer itself. weights: "model/file" of open_clip; train: keys of the recipe."""
    model = {"adapter": "open_clip", "id": weights}
    encoder = {"model": model, "tuning": "full", "batch_size": batch, "epochs": 10_000, "lr": 1e-4}
    settings = Train.model_validate({"text": model, "modalities": {"image": encoder}, "views": {"title": 1}, **train})
    found = read_samples(storage, Modality.IMAGE, settings)
    features = TextFeatures(storage, open_text_tower(settings.text)).compute(found.captions)
    encoder_settings = settings.modalities[Modality.IMAGE]
    if pack:
        list(packed.pack(storage, settings))
    reader = Reader(storage, found, encoder_settings, packed.find(storage, found, encoder_settings) if pack else None)
    return ModalityTrainer(Modality.IMAGE, settings, found, reader, features, torch.device(device))


def bare(
    weights: str, batch: int = BATCH, device: str = "cpu", precision: torch.dtype = torch.float32
) -> Callable[[], Any]:
    """Nothing but forward, loss, backward and step, on a batch that is on the device already."""
    settings = Train.model_validate({"modalities": {"image": {"model": {"adapter": "open_clip", "id": weights}}}})
    width = open_text_tower(settings.modalities[Modality.IMAGE].model).width
    tower = open_tower(Modality.IMAGE, settings.modalities[Modality.IMAGE], width).train().to(device)
    optimiser = torch.optim.AdamW(tower.parameters(), **ADAMW)
    pixels = torch.randn(batch, 3, 224, 224, device=device)
    texts = F.normalize(torch.randn(batch, width, device=device), dim=-1)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        with torch.autocast(device, precision, enabled=precision != torch.float32):
            features = tower(pixels)
        info_nce(F.normalize(features.float(), dim=-1), texts, 14.0).backward()
        optimiser.step()

    return step


def peer(listed: list[tuple[Path, str]], weights: Path) -> Callable[[], Any]:
    """open_clip_train's train_one_epoch over one batch."""
    model, transform, _ = open_clip.create_model_and_transforms(MODEL, pretrained=str(weights))
    model.lock_text_tower()
    model.output_dict = True
    tokenizer = open_clip.get_tokenizer(MODEL)
    optimiser = torch.optim.AdamW([each for each in model.parameters() if each.requires_grad], **ADAMW)
    loss = open_clip.ClipLoss()
    arguments = SimpleNamespace(device="cpu", precision="fp32", distill=False, accum_freq=1, skip_scheduler=True, horovod=False,
                                grad_clip_norm=1.0, rank=0, local_rank=0, log_local=False, log_every_n_steps=10**9, wandb=False,
                                batch_size=BATCH, world_size=1, distributed=False, save_logs=False)  # fmt: skip
    place = 0

    class Batches(torch.utils.data.Dataset):
        def __len__(self) -> int:
            return BATCH

        def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
            path, title = listed[(place + index) % len(listed)]
            with Image.open(path) as image:
                return transform(image.convert("RGB")), tokenizer([title])[0]

    def step() -> None:
        nonlocal place
        loader = torch.utils.data.DataLoader(Batches(), batch_size=BATCH)
        loader.num_batches, loader.num_samples = 1, BATCH  # type: ignore[attr-defined]
        data = {"train": SimpleNamespace(dataloader=loader, set_epoch=lambda epoch: None)}
        train_one_epoch(model, data, loss, 0, optimiser, None, None, None, arguments)
        place += BATCH

    return step


def seconds(step: Callable[[], Any]) -> float:
    started = time.perf_counter()
    for _ in range(STEPS):
        step()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        listed = dataset(Path(folder), BATCH * STEPS)
        file = Path(folder) / "weights.pt"
        name = random_weights(MODEL, file)
        storage = Storage(folder)
        loops = {
            "ours, decoding": trainer(storage, name, pack=False, batch=BATCH).train_step,
            "ours, packed": trainer(storage, name, pack=True, batch=BATCH).train_step,
            "bare loop": bare(name),
            "open_clip, text tower locked": peer(listed, file),
        }
        for step in loops.values():
            step()
        times = [{name: seconds(step) for name, step in loops.items()} for _ in range(runs)]
    print(
        f"{MODEL}, full tuning, batch {BATCH}, fp32, CPU, {torch.get_num_threads()} threads, median of {runs} runs in turn"
    )
    print("| | samples/s | ours decoding is faster by | ours packed is faster by |\n|---|---|---|---|")
    for name in loops:
        mine = (
            statistics.median(each[name] / each[kind] for each in times) for kind in ("ours, decoding", "ours, packed")
        )
        rate = BATCH * STEPS / statistics.median(each[name] for each in times)
        print(f"| {name} | {rate:.2f} | " + " | ".join(f"{each:.3f} x" for each in mine) + " |")


if __name__ == "__main__":
    main()
