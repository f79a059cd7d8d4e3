"""How far what vidal computes is from its peers: LanguageBind's code, open_clip, torchvision, torchaudio, transformers, scikit-learn.

The exit code is 1 if a bound is exceeded. tests/train/test_parity.py runs the same comparisons.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import sys
from pathlib import Path

from benchmarks import parity_inputs, parity_models
from benchmarks.peers import ENVIRONMENT, LANGUAGEBIND, CannotCompare, Comparison

COMPARISONS = (*parity_inputs.COMPARISONS, *parity_models.COMPARISONS)


def row(comparison: Comparison) -> tuple[str, bool]:
    """Returns a row of the table, and whether the bound is kept."""
    try:
        difference = comparison.measure()
    except CannotCompare as reason:
        return f"| {comparison.what} | {comparison.peer} | {reason} | {comparison.bound:g} |", True
    name = comparison.peer if comparison.peer == LANGUAGEBIND else f"{comparison.peer} {_version(comparison.peer)}"
    return f"| {comparison.what} | {name} | {difference:.2g} | {comparison.bound:g} |", difference <= comparison.bound


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return ""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--languagebind", type=Path, help=f"a checkout of its repository; {ENVIRONMENT} names one too")
    if folder := parser.parse_args().languagebind:
        os.environ[ENVIRONMENT] = str(folder)
    print("| compared | peer | largest difference | bound |\n|---|---|---|---|")
    exceeded = []
    for comparison in COMPARISONS:
        line, kept = row(comparison)
        print(line, flush=True)
        if not kept:
            exceeded.append(comparison.what)
    if exceeded:
        sys.exit(f"bounds exceeded: {', '.join(exceeded)}")


if __name__ == "__main__":
    main()
