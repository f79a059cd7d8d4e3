"""Trains the encoder of one modality. The training can be resumed at any step, with the same or another number of processes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.parallel import DistributedDataParallel

from vidal.errors import RecordError, TrainingError
from vidal.media.arrays import Float32Array
from vidal.train import inputs, optimiser, process_group
from vidal.train.accumulate import accumulated_backward
from vidal.train.checkpoint import Place, TrainerState
from vidal.train.loss import SIGLIP_BIAS, Temperature, build_loss
from vidal.train.opening import open_tower
from vidal.train.reading import Reader
from vidal.train.settings import Modality, Train
from vidal.train.stream import Batch, Stream
from vidal.train.texts import TextTable
from vidal.train.torch_dataset import ClipDataset
from vidal.train.training_samples import TrainingSamples
from vidal.train.window import Window

EMBEDDED = 32  # The largest number of pictures in a batch of `embed`.


class ModalityTrainer:
    """The training of one modality, step by step.

    modality: one of settings.modalities. samples: the clips to train on. features: the output of the language tower for each distinct
    text of these clips.
    """

    def __init__(
        self,
        modality: Modality,
        settings: Train,
        samples: TrainingSamples,
        reader: Reader,
        features: TextTable,
        device: torch.device,
    ):
        self.modality, self.settings, self.encoder = modality, settings, settings.modalities[modality]
        self.samples, self.reader, self.device = samples, reader, device
        self.features = features
        torch.manual_seed(settings.seed)  # All processes start from the same weights.
        self.tower = open_tower(modality, self.encoder, features.width).to(device)
        if settings.checkpoint_activations:
            self.tower.checkpoint_activations()
        self.temperature = Temperature(settings.temperature, SIGLIP_BIAS if settings.loss == "siglip" else None).to(
            device
        )
        named = [*self.tower.named_parameters(), *self.temperature.named_parameters()]
        self.optimiser = optimiser.build(named, self.encoder, settings)
        self.weights = [weight for _, weight in named if weight.requires_grad]
        self.loss = build_loss(settings.loss, process_group.rank(), process_group.world())
        self.scaler = torch.amp.GradScaler(device.type, enabled=settings.precision == "amp" and device.type == "cuda")
        self.ema = self._averaged_model()
        self.stream = Stream(
            ClipDataset(samples, reader, settings.views_of(modality), settings.seed),
            batch_size=self.encoder.batch_size,
            seed=settings.seed,
            rank=process_group.rank(),
            world=process_group.world(),
            workers=settings.workers,
        )
        self.steps = self.encoder.epochs * self.stream.steps
        self.step = self.epoch = self.cursor = self.unreadable = 0
        self._skipped = 0
        self.best: float | None = None
        self.misses, self.measured_at, self.stopped = 0, 0, False
        self._forward: nn.Module = self._wrapped_model()
        self._batches: Iterator[Batch] | None = None

    @property
    def done(self) -> bool:
        """Whether all steps or all epochs are over, or the training was stopped early."""
        return self.stopped or self.step >= self.steps or self.epoch >= self.encoder.epochs

    def train_step(self) -> dict[str, float] | None:
        """Runs one step. Returns None after the last epoch; otherwise loss, lr, grad_norm, scale and samples.

        scale: the factor of the logits. samples: how many samples all processes used in this step.

        Raises TrainingError if the loss is not finite, or if too many records cannot be read. Also raises it if the gradient is not
        finite, except with the precision "amp" on a GPU: there, the weights stay as they are in this step.
        """
        batch = self._next_batch()
        if batch is None:
            return None
        lr = optimiser.rate(self.step, self.steps, self.encoder)
        optimiser.set_rate(self.optimiser, lr)
        self.optimiser.zero_grad(set_to_none=True)
        loss = self._backward(batch)
        norm = self._gradient_norm()
        if not process_group.all_true(
            bool(np.isfinite(loss)) and (bool(np.isfinite(norm)) or self.scaler.is_enabled()), self.device
        ):
            raise TrainingError(
                f"{self.modality.value}: in step {self.step + 1} the loss is {loss} and the norm of its gradient {norm}: "
                "try a lower lr, more warmup_steps or precision fp32, in a new folder (--out), "
                "because a run continues only with the same settings"
            )
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.temperature.cap_()
        if self.ema is not None:
            self.ema.update_parameters(self.tower)
        self.step, self.cursor = self.step + 1, batch.cursor
        return {
            "loss": process_group.mean(loss, self.device),
            "lr": lr,
            "grad_norm": norm,
            "scale": float(self.temperature().detach()),
            "samples": len(batch.texts) * process_group.world(),
        }

    def _backward(self, batch: Batch) -> float:
        pixels = inputs.normalise(
            self.modality, batch.pixels.to(self.device, non_blocking=True), self.tower.mean, self.tower.std
        )
        texts = self.features[batch.texts].to(self.device, non_blocking=True)
        if self.encoder.accumulate == 1:
            with self._autocast():
                features = self._forward(pixels)
            loss = self.loss(F.normalize(features.float(), dim=-1), texts, self.temperature)
            self.scaler.scale(loss).backward()
            process_group.average_gradients(list(self.temperature.parameters()))
            return float(loss.detach())
        chunks = list(pixels.chunk(self.encoder.accumulate))
        with self._autocast(), self._unsynchronised():
            loss = accumulated_backward(self.tower, chunks, texts, self.loss, self.temperature, scale=self.scaler.scale)
        process_group.average_gradients(self.weights)
        return float(loss)

    def _gradient_norm(self) -> float:
        self.scaler.unscale_(self.optimiser)
        limit = self.settings.clip_norm_of(self.modality)
        return float(nn.utils.clip_grad_norm_(self.weights, limit if limit is not None else float("inf")))

    def _next_batch(self) -> Batch | None:
        """Returns the next batch, or None after the last epoch.

        When one process has no more batches in an epoch, all processes go on to the next epoch.
        """
        while not self.done:
            if self._batches is None:
                self._batches = self.stream.batches(self.epoch, self.cursor)
            batch = next(self._batches, None)
            self._count_problems(batch.problems if batch else self.stream.tail)
            if process_group.all_true(batch is not None, self.device):
                return batch
            self.epoch, self.cursor, self._skipped, self._batches = self.epoch + 1, 0, 0, None
        return None

    def _count_problems(self, problems: tuple[str, ...]) -> None:
        self.unreadable += len(problems)
        self._skipped += len(problems)
        allowed = self.settings.unreadable_max * len(self.samples) / process_group.world()
        if not process_group.all_true(self._skipped <= allowed, self.device):
            raise TrainingError(
                f"{self.modality.value}: too many of the {len(self.samples)} clips cannot be read (this process could not read "
                f"{self._skipped}; the last error: {problems[-1] if problems else 'in another process'}): "
                f"run vidal validate to list them, or raise train.unreadable_max, which is {self.settings.unreadable_max:g}"
            )

    def state(self) -> TrainerState:
        """Returns the state for a checkpoint. Frozen weights are left out: a resumed run reads them from the model it began with."""
        return {
            "tower": self._without_frozen(self.tower.state_dict()),
            "temperature": self.temperature.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": self.ema.state_dict() if self.ema is not None else None,
            "step": self.step,
            "epoch": self.epoch,
            "best": self.best,
            "misses": self.misses,
            "measured_at": self.measured_at,
            "stopped": self.stopped,
        }

    def trained_weights(self) -> dict[str, Tensor]:
        """Returns the present weights and buffers of final_model(), without the frozen weights."""
        return self._without_frozen(self.final_model().state_dict())

    def load_trained(self, weights: dict[str, Tensor]) -> None:
        """Replaces the weights and buffers of final_model(), except its frozen weights. weights: an earlier result of trained_weights."""
        self.final_model().load_state_dict(weights, strict=False)

    def _without_frozen(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        frozen = {name for name, weight in self.tower.named_parameters() if not weight.requires_grad}
        return {name: value for name, value in state.items() if name not in frozen}

    def place(self) -> Place:
        """Returns the position of this process in the data, for a checkpoint."""
        window = self.stream.window(self.epoch)
        return {
            "cursor": self.cursor,
            "start": window.start,
            "done": list(window.done),
            "unreadable": self.unreadable,
            "missed": self._skipped,
        }

    def restore(self, state: TrainerState, places: list[Place]) -> None:
        """Continues an earlier run from its checkpoint.

        places: how far each process of the earlier run had read, by rank. If this run has another number of processes, the remaining
        records of the epoch are divided anew.
        """
        self.tower.load_state_dict(state["tower"], strict=False)
        self.temperature.load_state_dict(state["temperature"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.scaler.load_state_dict(state["scaler"])
        # A run has either both or neither, because `ema` belongs to its identity.
        if self.ema is not None and state["ema"] is not None:
            self.ema.load_state_dict(state["ema"])
        self.step, self.epoch = state["step"], state["epoch"]
        self.best, self.misses = state["best"], state["misses"]
        self.measured_at, self.stopped = state["measured_at"], state["stopped"]
        window = Window(places[0]["start"], tuple(places[0]["done"]))
        if len(places) == process_group.world():
            place = places[process_group.rank()]
            self.cursor, self.unreadable, self._skipped = place["cursor"], place["unreadable"], place["missed"]
        else:
            window = window.advanced(len(self.samples), [place["cursor"] for place in places])
            share = process_group.world()
            self.cursor = 0
            self.unreadable = sum(place["unreadable"] for place in places) // share
            self._skipped = sum(place["missed"] for place in places) // share
        self.stream.resume_in(self.epoch, window)

    def final_model(self) -> nn.Module:
        """Returns the trained tower; if the recipe sets `ema`, a copy with the moving average of its weights."""
        return self.ema.module if self.ema is not None else self.tower

    def _averaged_model(self) -> torch.optim.swa_utils.AveragedModel | None:
        if self.settings.ema is None:
            return None
        decay = torch.optim.swa_utils.get_ema_multi_avg_fn(self.settings.ema)
        return torch.optim.swa_utils.AveragedModel(self.tower, multi_avg_fn=decay, use_buffers=False)

    def _wrapped_model(self) -> nn.Module:
        model: nn.Module = self.tower
        if process_group.world() > 1:
            ids = [self.device.index] if self.device.type == "cuda" else None
            model = DistributedDataParallel(model, device_ids=ids)
        return torch.compile(model) if self.settings.compile else model  # type: ignore[return-value]

    def _autocast(self) -> Any:
        dtypes = {"bf16": torch.bfloat16, "amp": torch.float16 if self.device.type == "cuda" else torch.bfloat16}
        dtype = dtypes.get(self.settings.precision)
        return torch.autocast(self.device.type, dtype) if dtype else contextlib.nullcontext()

    def _unsynchronised(self) -> Any:
        """Returns a context in which DDP does not average the gradients of each chunk; they are averaged once, after all chunks."""
        inner = getattr(self._forward, "_orig_mod", self._forward)
        return inner.no_sync() if isinstance(inner, DistributedDataParallel) else contextlib.nullcontext()


def embed(
    trainer: ModalityTrainer, samples: TrainingSamples, reader: Reader, rows: Iterable[int]
) -> tuple[list[int], Float32Array]:
    """Embeds clips with the trained tower. If the recipe sets `ema`, the tower has the moving average of its weights.

    A clip with several pictures gets the normalised mean of their vectors. rows: the indices of the clips in samples. Returns the
    indices of the clips that could be read, and their vectors, (n, width) float32, L2-normalised. A clip is left out if one of its
    files cannot be read.
    """
    tower = trainer.final_model()
    was_training = tower.training
    tower.eval()
    features: dict[int, Tensor] = {}
    with torch.inference_mode():
        for row in rows:
            with contextlib.suppress(RecordError, OSError):
                features[row] = F.normalize(_embed_row(trainer, tower, samples, reader, row), dim=-1)
    tower.train(was_training)
    return list(features), np.array([each.numpy() for each in features.values()], np.float32)


def _embed_row(
    trainer: ModalityTrainer, tower: nn.Module, samples: TrainingSamples, reader: Reader, row: int
) -> Tensor:
    frames = 1 if trainer.modality in (Modality.VIDEO, Modality.AUDIO) else len(samples.paths_of(row))
    views = []
    for start in range(0, frames, EMBEDDED):
        pixels = np.stack([reader(row, frame) for frame in range(start, min(frames, start + EMBEDDED))])
        normalised = inputs.normalise(
            trainer.modality, torch.from_numpy(pixels).to(trainer.device), trainer.tower.mean, trainer.tower.std
        )
        views.append(F.normalize(tower(normalised).float(), dim=-1).cpu())
    return torch.cat(views).mean(0)
