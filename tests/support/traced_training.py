"""A training run in a process of its own, one of a group: it notes the texts of every step, and may kill itself in the middle of one.

    python -m tests.support.traced_training SETTINGS DATA OUT RANK WORLD MEETING [KILL_IN]

SETTINGS: a file with a Train as JSON. MEETING: a file that the processes of a group find each other by. KILL_IN: the step to die in.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from vidal.models import threads
from vidal.train import run
from vidal.train.modality_trainer import ModalityTrainer
from vidal.train.settings import Train


def main(settings: str, data: str, out: str, rank: str, world: str, meeting: str, kill_in: str = "-1") -> None:
    threads.usable_cores = lambda: 1
    if int(world) > 1:
        dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=int(rank), world_size=int(world))
    notes, following = Path(out) / f"steps-{rank}-of-{world}.jsonl", ModalityTrainer._next_batch

    def noted(trainer: ModalityTrainer) -> object:
        batch = following(trainer)
        if batch is not None:
            with notes.open("a") as file:
                file.write(json.dumps([trainer.step, batch.texts.tolist()]) + "\n")
        if trainer.step == int(kill_in):
            os.kill(os.getpid(), signal.SIGKILL)
        return batch

    ModalityTrainer._next_batch = noted  # type: ignore[method-assign, assignment]
    run.train(Train.model_validate_json(Path(settings).read_text()), data, Path(out), torch.device("cpu"))
    if int(world) > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
