"""Reports the progress of a training run: lines of JSON in metrics.jsonl, TensorBoard, and a progress bar."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from vidal.train.modality_trainer import ModalityTrainer
from vidal.train.recall import Recall
from vidal.train.settings import Modality

METRICS, BOARD = "metrics.jsonl", "tensorboard"
LINE_INTERVAL_S = 10.0


class Journal:
    """Records the steps of a run.

    steps: the total number of steps, of all modalities together. done: how many of these were done before the run was resumed; 0 for a
    new run. writes: whether this process writes files and shows progress; only one process of a group does.
    """

    def __init__(self, folder: Path, steps: int, done: int, writes: bool):
        self._folder, self._writes, self._losses = folder, writes, dict[Modality, float]()
        self._samples: dict[Modality, tuple[float, float]] = {}
        self._steps, self._done, self._printed_at = steps, done, time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Progress(*columns, console=Console(stderr=True), disable=not (writes and sys.stderr.isatty()))
        self._task = self._bar.add_task("training", total=steps, completed=done)

    def __enter__(self) -> Journal:
        if self._writes:
            from torch.utils.tensorboard import SummaryWriter

            self._folder.mkdir(parents=True, exist_ok=True)
            _truncate(self._folder / METRICS, self._done)
            self._file = (self._folder / METRICS).open("a", encoding="utf-8")
            self._board = SummaryWriter(str(self._folder / BOARD), purge_step=self._done + 1)
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()
        if self._writes:
            self._file.close()
            self._board.close()

    def record_step(self, trainer: ModalityTrainer, metrics: dict[str, float], seconds: float) -> None:
        """Records a step. metrics: the result of ModalityTrainer.train_step. seconds: the duration of the step."""
        self._done += 1
        modality = trainer.modality
        self._losses[modality] = metrics["loss"]
        samples, spent = self._samples.get(modality, (0.0, 0.0))
        self._samples[modality] = (samples + metrics["samples"], spent + seconds)
        if not self._writes:
            return
        line: dict[str, object] = {
            "n": self._done,
            "modality": modality.value,
            "step": trainer.step,
            "epoch": trainer.epoch,
        }
        line |= {key: value for key, value in metrics.items() if key != "samples"}
        line |= {"samples_s": metrics["samples"] / seconds, "unreadable": trainer.unreadable}
        if trainer.step % trainer.settings.log_steps == 0:
            self._file.write(json.dumps(line) + "\n")
            self._file.flush()
            for key in ("loss", "lr", "grad_norm", "scale", "samples_s"):
                self._board.add_scalar(f"{modality.value}/{key}", line[key], trainer.step)
        self._show(f"{modality.value} loss {metrics['loss']:.3f} {line['samples_s']:.1f} samples/s")

    def record_validation(self, trainer: ModalityTrainer, measured: Recall) -> None:
        """Records R@1 on the split val in metrics.jsonl and TensorBoard."""
        if not self._writes:
            return
        values = {"val_recall_to_text": measured.to_text, "val_recall_to_modality": measured.to_modality}
        line = {"n": self._done, "modality": trainer.modality.value, "step": trainer.step, **values}
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()
        for key, value in values.items():
            self._board.add_scalar(f"{trainer.modality.value}/{key}", value, trainer.step)

    def summary(self, modality: Modality) -> tuple[float, float]:
        """Returns (the loss of the last step, samples per second) of a modality.

        Only the steps since the run was started or resumed count. Both values are NaN if there were none.
        """
        samples, seconds = self._samples.get(modality, (0.0, 0.0))
        return self._losses.get(modality, float("nan")), samples / seconds if seconds else float("nan")

    def _show(self, text: str) -> None:
        self._bar.update(self._task, completed=self._done, description=text)
        if self._bar.disable and time.monotonic() - self._printed_at > LINE_INTERVAL_S:
            self._printed_at = time.monotonic()
            print(f"step {self._done}/{self._steps}  {text}", file=sys.stderr, flush=True)


def _truncate(path: Path, done: int) -> None:
    """Removes the lines of steps with a number above `done`. The checkpoint does not contain these steps, so they will run again."""
    if path.is_file():
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if json.loads(line)["n"] <= done]
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
