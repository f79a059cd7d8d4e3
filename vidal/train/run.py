"""A training run: trains all modalities of a recipe on a dataset, and writes a folder with checkpoints, metrics and an encoder."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from vidal import ids
from vidal.errors import UserError
from vidal.models import threads
from vidal.models.device import choose_device
from vidal.storage.storage import Storage
from vidal.train import checkpoint, packed, process_group, saved
from vidal.train.journal import Journal
from vidal.train.modality_trainer import ModalityTrainer
from vidal.train.opening import open_text_tower, open_tower
from vidal.train.reading import Reader
from vidal.train.recall import Clips, recall
from vidal.train.settings import Modality, Train
from vidal.train.texts import TextFeatures
from vidal.train.towers import LanguageTower, ModalityTower
from vidal.train.training_samples import TrainingSamples, find_samples, read_samples
from vidal.train.validation import Validation

CHECKPOINTS, ENCODER = "checkpoints", "encoder"
FROZEN = "frozen"


@dataclass(frozen=True)
class Outcome:
    """The result of one modality.

    clips: the number of training clips. left_out: how many other clips of the dataset were left out, by reason. loss: the loss of the
    last step. recall_*: R@1 on the training clips. val_recall_*: R@1 on the clips of the split val; None if the split is empty or was
    itself used for training. samples_s: samples per second. unreadable: how often the process of rank 0 skipped an unreadable record.
    """

    modality: str
    clips: int
    left_out: dict[str, int]
    steps: int
    loss: float
    recall_to_text: float
    recall_to_modality: float
    samples_s: float
    unreadable: int
    val_recall_to_text: float | None = None
    val_recall_to_modality: float | None = None


def train(settings: Train, out: str, folder: Path, device: torch.device) -> list[Outcome]:
    """Trains all modalities of the recipe, and returns one result for each; in processes other than rank 0, an empty list.

    The modalities share only the frozen language tower, so each is trained as if it were alone. out: the path or URI of the dataset.
    folder: the folder of the run; if it holds a checkpoint, training continues from the last one. All processes of a group call this
    function, and the process of rank 0 writes the files.

    Raises UserError if the recipe or the data are wrong, and TrainingError if training cannot continue.
    """
    storage = Storage(out)
    samples = read_all(settings, storage)
    text = open_text_tower(settings.text, device)
    trainers = [_trainer(storage, settings, each, text, device) for each in samples.values()]
    threads.limit_threads(max(1, threads.usable_cores() // process_group.world()))
    identity = _identity(settings, trainers)
    start = checkpoint.latest(folder / CHECKPOINTS)
    _seed(settings.seed)
    if start:
        _restore(checkpoint.load(start, identity), trainers)
    journal = Journal(
        folder, sum(each.steps for each in trainers), sum(each.step for each in trainers), process_group.rank() == 0
    )
    validations = _validations(storage, settings, trainers, text, folder)
    with journal:
        _loop(trainers, validations, settings, folder, identity, journal)
    for validation in validations.values():
        validation.return_to_best()
    rank0 = process_group.rank() == 0
    outcomes = [_outcome(each, validations.get(each.modality), journal) for each in trainers] if rank0 else []

    def finish() -> None:
        towers = {each.modality: each.final_model() for each in trainers}
        saved.save(folder / ENCODER, {**towers, **_frozen_towers(settings, text.width)}, settings, text)
        (folder / "summary.json").write_text(
            json.dumps([asdict(each) for each in outcomes], indent=1) + "\n", encoding="utf-8"
        )

    process_group.on_rank0(finish)
    return outcomes


def read_all(settings: Train, storage: Storage) -> dict[Modality, TrainingSamples]:
    """Reads the samples of each modality that the recipe trains.

    Raises UserError if the recipe trains no modality, or if the dataset has no clip for one of them.
    """
    trained = [modality for modality, each in settings.modalities.items() if each.tuning != FROZEN]
    if not trained:
        raise UserError(
            "train.modalities has no modality to train: give one whose tuning is not frozen, e.g. --set 'train.modalities={video: {}}'"
        )
    return {modality: read_samples(storage, modality, settings) for modality in trained}


def _frozen_towers(settings: Train, width: int) -> dict[Modality, ModalityTower]:
    """Opens the towers with `tuning: frozen`. They are saved, but not trained. width: the length of the vectors that they return."""
    frozen = {modality: each for modality, each in settings.modalities.items() if each.tuning == FROZEN}
    return {modality: open_tower(modality, each, width) for modality, each in frozen.items()}


def _trainer(
    storage: Storage, settings: Train, samples: TrainingSamples, text: LanguageTower, device: torch.device
) -> ModalityTrainer:
    clips = _clips(storage, settings, samples, text)
    return ModalityTrainer(samples.modality, settings, samples, clips.reader, clips.features, device)


def _clips(storage: Storage, settings: Train, samples: TrainingSamples, text: LanguageTower) -> Clips:
    """Returns the samples, their reader and the features of their texts.

    If some of the features are not stored yet, the process of rank 0 first computes and stores these features.
    """
    cache, encoder = TextFeatures(storage, text), settings.modalities[samples.modality]
    process_group.on_rank0(lambda: cache.compute(samples.captions))
    reader = Reader(storage, samples, encoder, packed.find(storage, samples, encoder))
    return Clips(samples, reader, cache.compute(samples.captions))


def _validations(
    storage: Storage, settings: Train, trainers: list[ModalityTrainer], text: LanguageTower, folder: Path
) -> dict[Modality, Validation]:
    """Returns a Validation for each modality that has clips in the split val; none if the recipe trains on val."""
    if "val" in settings.splits:
        return {}
    held_out = settings.model_copy(update={"splits": ("val",)})
    validations = {}
    for trainer in trainers:
        samples = find_samples(storage, trainer.modality, held_out)
        if len(samples):
            clips = _clips(storage, settings, samples, text)
            validations[trainer.modality] = Validation(trainer, clips, folder / CHECKPOINTS)
    return validations


def _loop(
    trainers: list[ModalityTrainer],
    validations: dict[Modality, Validation],
    settings: Train,
    folder: Path,
    identity: checkpoint.Identity,
    journal: Journal,
) -> None:
    """Trains in rounds. Each round takes one step of every modality that is not done."""
    rounds = max(each.step for each in trainers)
    saved = rounds
    while not all(each.done for each in trainers):
        for each in trainers:
            began = time.perf_counter()
            if not each.done and (metrics := each.train_step()):
                journal.record_step(each, metrics, time.perf_counter() - began)
                validation = validations.get(each.modality)
                if validation and (measured := validation.measure_if_due()):
                    journal.record_validation(each, measured)
        rounds += 1
        if rounds % settings.checkpoint_steps == 0:
            _save(trainers, settings, folder, identity, rounds)
            saved = rounds
    if saved != rounds:
        _save(trainers, settings, folder, identity, rounds)


def _save(
    trainers: list[ModalityTrainer], settings: Train, folder: Path, identity: checkpoint.Identity, rounds: int
) -> None:
    random: checkpoint.RandomState = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        random["cuda"] = torch.cuda.get_rng_state()
    own: checkpoint.ProcessState = {
        "random": random,
        "places": {each.modality.value: each.place() for each in trainers},
    }
    processes = process_group.all_gather(own)
    state: checkpoint.RunState = {
        "identity": identity,
        "trainers": {each.modality.value: each.state() for each in trainers},
        "processes": processes,
    }
    process_group.on_rank0(lambda: checkpoint.save(folder / CHECKPOINTS, rounds, state, settings.keep))


def _restore(state: checkpoint.RunState, trainers: list[ModalityTrainer]) -> None:
    processes = state["processes"]
    for each in trainers:
        each.restore(state["trainers"][each.modality.value], [one["places"][each.modality.value] for one in processes])
    if len(processes) != process_group.world():
        return  # With another number of processes, the stored states fit none of them: each keeps the state that _seed set.
    mine = processes[process_group.rank()]
    torch.set_rng_state(mine["random"]["cpu"])
    if torch.cuda.is_available() and "cuda" in mine["random"]:
        torch.cuda.set_rng_state(mine["random"]["cuda"])


def _identity(settings: Train, trainers: list[ModalityTrainer]) -> checkpoint.Identity:
    """Returns hashes of the settings and of the data. A run can be continued only if they stay the same.

    Some settings are not hashed, so they may change, for example the number of processes.
    """
    free = {"checkpoint_steps", "log_steps", "keep", "workers", "unreadable_max", "processes", "eval_steps", "patience"}
    return {
        "recipe": ids.fingerprint([settings.model_dump(mode="json", exclude=free)]),
        "data": ids.fingerprint([[each.modality.value, each.samples.clip_ids] for each in trainers]),
    }


def _seed(seed: int) -> None:
    """Seeds torch's random numbers in this process. Each process gets a seed of its own, so that dropout differs between processes."""
    torch.manual_seed(seed * 1000 + process_group.rank())


def _outcome(trainer: ModalityTrainer, validation: Validation | None, journal: Journal) -> Outcome:
    learned = recall(trainer, Clips(trainer.samples, trainer.reader, trainer.features))
    held_out = validation.final() if validation else None
    loss, samples_s = journal.summary(trainer.modality)
    return Outcome(
        trainer.modality.value,
        len(trainer.samples),
        trainer.samples.left_out,
        trainer.step,
        loss,
        learned.to_text,
        learned.to_modality,
        samples_s,
        trainer.unreadable,
        held_out.to_text if held_out else None,
        held_out.to_modality if held_out else None,
    )


def default_device() -> torch.device:
    """Returns a GPU if there is one, else the CPU."""
    return torch.device(choose_device())
