"""A training run: from manifests to a folder with checkpoints, metrics and an encoder."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from vidal import ids
from vidal.errors import UserError
from vidal.models.device import choose_device
from vidal.storage.storage import Storage
from vidal.train import checkpoint, encoder, packed, process_group, records
from vidal.train.journal import Journal
from vidal.train.modality_trainer import Trainee
from vidal.train.reading import Reader
from vidal.train.recall import recall
from vidal.train.settings import Modality, Train
from vidal.train.texts import TextFeatures
from vidal.train.towers import TextTower, open_text_tower

CHECKPOINTS, ENCODER = "checkpoints", "encoder"


@dataclass(frozen=True)
class Outcome:
    """What became of one modality. recall_*: R@1 on the training clips. unreadable: records passed over, counted each time."""

    modality: str
    clips: int
    left_out: dict[str, int]
    steps: int
    loss: float
    recall_to_text: float
    recall_to_modality: float
    samples_s: float
    unreadable: int


def train(settings: Train, out: str, folder: Path, device: torch.device) -> list[Outcome]:
    """Trains all modalities of the recipe, each against the frozen language tower; they share nothing else, so each gets what it would
    get alone. Goes on from the last checkpoint of `folder`. All processes of a group call it; the first one writes.

    Raises UserError for what is wrong with recipe or data, TrainingError where the training itself cannot go on.
    """
    storage = Storage(out)
    samples = read_all(settings, storage)
    text = open_text_tower(settings.text)
    trainees = [_trainee(storage, settings, each, text, device) for each in samples.values()]
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // process_group.world()))
    identity = _identity(settings, trainees)
    start = checkpoint.latest(folder / CHECKPOINTS)
    _seed(settings.seed)
    if start:
        _restore(checkpoint.load(start, identity), trainees)
    journal = Journal(
        folder, sum(each.steps for each in trainees), sum(each.step for each in trainees), process_group.rank() == 0
    )
    with journal:
        _loop(trainees, settings, folder, identity, journal)
    outcomes = [_outcome(each, journal) for each in trainees] if process_group.rank() == 0 else []

    def finish() -> None:
        towers = {each.modality: each.finished() for each in trainees}
        encoder.save(folder / ENCODER, towers, settings, text)
        (folder / "summary.json").write_text(
            json.dumps([asdict(each) for each in outcomes], indent=1) + "\n", encoding="utf-8"
        )

    process_group.first(finish)
    return outcomes


def read_all(settings: Train, storage: Storage) -> dict[Modality, records.Records]:
    """What every modality of the recipe is trained on. Raises UserError."""
    if not settings.modalities:
        raise UserError("train.modalities: name at least one, e.g. --set 'train.modalities={video: {}}'")
    return {modality: records.read(storage, modality, settings) for modality in settings.modalities}


def _trainee(
    storage: Storage, settings: Train, samples: records.Records, text: TextTower, device: torch.device
) -> Trainee:
    cache, encoder_settings = TextFeatures(storage, text), settings.modalities[samples.modality]
    process_group.first(lambda: cache.of(samples.captions.distinct))
    reader = Reader(storage, samples, encoder_settings, packed.find(storage, samples, encoder_settings))
    return Trainee(samples.modality, settings, samples, reader, cache.of(samples.captions.distinct), device)


def _loop(trainees: list[Trainee], settings: Train, folder: Path, identity: dict[str, Any], journal: Journal) -> None:
    """A round is one step of each modality that is not done."""
    rounds = max(each.step for each in trainees)
    saved = rounds
    while not all(each.done for each in trainees):
        for each in trainees:
            began = time.perf_counter()
            if not each.done and (metrics := each.learn()):
                journal.step(each, metrics, time.perf_counter() - began)
        rounds += 1
        if rounds % settings.checkpoint_steps == 0:
            _save(trainees, settings, folder, identity, rounds)
            saved = rounds
    if saved != rounds:
        _save(trainees, settings, folder, identity, rounds)


def _save(trainees: list[Trainee], settings: Train, folder: Path, identity: dict[str, Any], rounds: int) -> None:
    random: dict[str, Any] = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    processes = process_group.gathered({"random": random, "places": {each.modality.value: each.place() for each in trainees}})
    state = {
        "identity": identity,
        "trainees": {each.modality.value: each.state() for each in trainees},
        "processes": processes,
    }
    process_group.first(lambda: checkpoint.save(folder / CHECKPOINTS, rounds, state, settings.keep))


def _restore(state: dict[str, Any], trainees: list[Trainee]) -> None:
    mine = state["processes"][process_group.rank()]
    for each in trainees:
        each.restore(state["trainees"][each.modality.value], mine["places"][each.modality.value])
    torch.set_rng_state(mine["random"]["cpu"])
    if torch.cuda.is_available() and "cuda" in mine["random"]:
        torch.cuda.set_rng_state(mine["random"]["cuda"])


def _identity(settings: Train, trainees: list[Trainee]) -> dict[str, Any]:
    """What must be the same for a run to go on: how often it logs and saves may change."""
    free = {"checkpoint_steps", "log_steps", "keep", "workers", "unreadable_max", "processes"}
    return {
        "recipe": ids.fingerprint([settings.model_dump(mode="json", exclude=free)]),
        "data": ids.fingerprint([[each.modality.value, each.records.clip_ids] for each in trainees]),
        "number of processes": process_group.world(),
    }


def _seed(seed: int) -> None:
    """Dropout differs between processes."""
    torch.manual_seed(seed * 1000 + process_group.rank())


def _outcome(trainee: Trainee, journal: Journal) -> Outcome:
    to_text, to_modality = recall(trainee)
    loss, samples_s = journal.summary(trainee.modality)
    return Outcome(
        trainee.modality.value,
        len(trainee.records),
        trainee.records.left_out,
        trainee.step,
        loss,
        to_text,
        to_modality,
        samples_s,
        trainee.unreadable,
    )


def default_device() -> torch.device:
    return torch.device(choose_device())
