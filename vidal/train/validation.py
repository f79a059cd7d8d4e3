"""Measures retrieval on the split val while an encoder is trained, and stops the training when retrieval no longer improves."""

from __future__ import annotations

from pathlib import Path

import torch

from vidal.storage.atomic_file import written_aside
from vidal.train import process_group
from vidal.train.modality_trainer import ModalityTrainer
from vidal.train.recall import Clips, Recall, recall


class Validation:
    """Measures the retrieval of one modality on its clips of the split val, and stops its training as train.patience says.

    clips: the clips of the split val. folder: where the weights with the best retrieval so far are kept, if train.patience is set.
    """

    def __init__(self, trainer: ModalityTrainer, clips: Clips, folder: Path):
        self._trainer, self._clips = trainer, clips
        self._best = folder / f"best-{trainer.modality.value}.pt"

    def measure_if_due(self) -> Recall | None:
        """Measures retrieval at each multiple of train.eval_steps; returns None at other steps. All processes call this together."""
        trainer, every = self._trainer, self._trainer.settings.eval_steps
        if every is None or trainer.step % every or trainer.step == trainer.measured_at:
            return None
        measured = process_group.from_rank0(lambda: recall(trainer, self._clips))
        trainer.measured_at = trainer.step
        self._judge(measured)
        return measured

    def _judge(self, measured: Recall) -> None:
        trainer, patience = self._trainer, self._trainer.settings.patience
        if trainer.best is None or measured.mean > trainer.best:
            trainer.best, trainer.misses = measured.mean, 0
            if patience is not None:
                process_group.on_rank0(self._keep)
        else:
            trainer.misses += 1
        trainer.stopped = patience is not None and trainer.misses >= patience

    def _keep(self) -> None:
        with written_aside(self._best) as aside:
            torch.save(self._trainer.trained_weights(), aside)

    def return_to_best(self) -> None:
        """Replaces the encoder's weights by those that had the best retrieval. Does nothing if train.patience is not set."""
        if self._trainer.settings.patience is not None and self._best.is_file():
            self._trainer.load_trained(torch.load(self._best, map_location="cpu", weights_only=True))

    def final(self) -> Recall:
        """Measures the retrieval of the finished encoder on the split val. Call return_to_best first."""
        return recall(self._trainer, self._clips)
