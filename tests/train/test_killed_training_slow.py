"""A training run whose processes are killed -9 in the middle of a step, and that is continued, also by another number of processes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from itertools import chain, count
from pathlib import Path

import pytest
import torch

from tests.conftest import ROOT
from tests.support.tiny_models import save_clip
from tests.train.test_train_data import caption, dataset
from vidal.train import checkpoint, run
from vidal.train.settings import Train

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]
CLIPS, STEPS, KILLED_IN = 16, 8, 3  # Two epochs; the last checkpoint before the kill is in the middle of the first.
MEETINGS = count()


@pytest.fixture(scope="module")
def arranged(tmp_path_factory):
    """A dataset, and settings with all that draws random numbers: dropout of adapters and patches, crops and flips."""
    folder = tmp_path_factory.mktemp("killed")
    (folder / "data").mkdir()
    dataset(folder / "data", [{"captions": [caption("title", f"picture number {k}")]} for k in range(CLIPS)])
    encoder = {"model": {"adapter": "clip", "id": save_clip(folder / "clip", 384)}, "side": 32, "batch_size": 4,
               "epochs": 2, "lr": 1e-3, "tuning": "lora", "lora": {"rank": 2, "dropout": 0.1}, "patch_dropout": 0.25,
               "random_crop": True, "flip": 0.5}  # fmt: skip
    settings = Train.model_validate({"modalities": {"image": encoder}, "checkpoint_steps": 2, "ema": 0.9})
    (folder / "settings.json").write_text(settings.model_dump_json())
    return folder


def train(folder: Path, out: Path, world: int, kill_in: int = -1) -> None:
    """Runs a group of processes to its end, or until each has killed itself in a step."""
    out.mkdir(exist_ok=True)
    common = [str(folder / "settings.json"), str(folder / "data"), str(out)]
    meeting = str(folder / f"meeting-{next(MEETINGS)}")
    command = [sys.executable, "-m", "tests.support.traced_training", *common]
    processes = [
        subprocess.Popen([*command, str(rank), str(world), meeting, str(kill_in)], cwd=ROOT, stderr=subprocess.PIPE)
        for rank in range(world)
    ]
    try:
        for each in processes:
            _, problems = each.communicate(timeout=600)
            assert each.returncode == (-signal.SIGKILL if kill_in >= 0 else 0), problems.decode()[-2000:]
    finally:
        for each in processes:
            each.kill()
            each.communicate()


def order(out: Path) -> list[list[int]]:
    """The texts of each step in the order of the epoch: its records are dealt out to the processes of a group in turn."""
    steps: dict[int, list[int]] = {}
    for world in (1, 2):
        ranks = [
            dict(map(json.loads, path.read_text().splitlines()))
            for path in sorted(out.glob(f"steps-*-of-{world}.jsonl"))
        ]
        for step in ranks[0] if ranks else []:
            if step not in steps or (out / "last").read_text() == str(world):
                steps[step] = [text for dealt in zip(*(rank[step] for rank in ranks), strict=True) for text in dealt]
    return [steps[step] for step in sorted(steps)]


def weights(out: Path) -> dict[str, torch.Tensor]:
    path = checkpoint.latest(out / run.CHECKPOINTS)
    assert path is not None
    state = torch.load(path, weights_only=True)["trainers"]["image"]
    return {**state["tower"], **state["ema"], **state["temperature"]}


@pytest.fixture(scope="module")
def undisturbed(arranged):
    """The folders of whole runs, by their number of processes."""
    folders = {world: arranged / f"whole-{world}" for world in (1, 2)}
    for world, out in folders.items():
        train(arranged, out, world)
        (out / "last").write_text(str(world))
    return folders


@pytest.fixture(scope="module")
def killed(arranged):
    """The folders of killed runs, by their number of processes."""
    folders = {world: arranged / f"killed-{world}" for world in (1, 2)}
    for world, out in folders.items():
        train(arranged, out, world, KILLED_IN)
    return folders


@pytest.mark.parametrize(("before", "after"), [(1, 1), (2, 2), (2, 1), (1, 2)])
def test_a_killed_run_goes_on_with_the_same_samples_in_the_same_order(arranged, undisturbed, killed, before, after):
    """With the same number of processes, the weights are the same too, bit for bit."""
    out = shutil.copytree(killed[before], arranged / f"continued-{before}-{after}")
    last = checkpoint.latest(out / run.CHECKPOINTS)
    assert last is not None and last.name == "step-00000002.pt"
    train(arranged, out, after)
    (out / "last").write_text(str(after))
    whole = order(undisturbed[1])
    assert len(whole) == STEPS and all(sorted(chain(*whole[k : k + 4])) == list(range(CLIPS)) for k in (0, 4))
    assert order(undisturbed[2]) == whole and order(out) == whole
    if before == after:
        expected, found = weights(undisturbed[after]), weights(out)
        assert expected.keys() == found.keys() and all(torch.equal(expected[key], found[key]) for key in expected)
