"""The scripts of examples/ run as their first lines say."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.structure import ROOT


def run_example(name: str, *arguments: str) -> str:
    """Runs a script of examples/ with every warning an error, and returns what it prints."""
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / name), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout


def test_a_manifest_is_opened_with_pandas(embedded: Path) -> None:
    printed = run_example("open_a_manifest.py", str(embedded))
    assert "depth (" in printed and "uint16" in printed
    assert "low_similarity" in printed  # The ledger's reasons.
    assert len((ROOT / "examples" / "open_a_manifest.py").read_text().splitlines()) <= 40


def test_a_small_network_is_trained_in_plain_pytorch(embedded: Path) -> None:
    text = (ROOT / "examples" / "train_in_plain_pytorch.py").read_text()
    assert "import vidal" not in text and "from vidal" not in text and len(text.splitlines()) <= 60
    printed = run_example("train_in_plain_pytorch.py", str(embedded))
    losses = [float(line.rpartition(" ")[2]) for line in printed.splitlines() if line.startswith("step ")]
    assert len(losses) == 20 and sum(losses[-3:]) < 0.9 * sum(losses[:3])


def test_a_dataset_is_searched_by_words(embedded: Path, tmp_path: Path) -> None:
    from vidal.train import saved
    from vidal.train.opening import open_text_tower, open_tower
    from vidal.train.settings import Train

    settings = Train.model_validate({"modalities": {"video": {"tuning": "frozen", "side": 112, "frames": 2}}})
    text = open_text_tower(settings.text)
    towers = {each: open_tower(each, value, text.width) for each, value in settings.modalities.items()}
    saved.save(tmp_path / "encoder", towers, settings, text)
    printed = run_example("search_a_dataset.py", str(embedded), str(tmp_path / "encoder"), "a train")
    scores = [float(line.split()[0]) for line in printed.splitlines()]
    assert scores == sorted(scores, reverse=True) and scores
    assert len((ROOT / "examples" / "search_a_dataset.py").read_text().splitlines()) <= 26
