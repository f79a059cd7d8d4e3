"""Runs make as a user does."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.conftest import ROOT


def make(target: str, *variables: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    """variables: such as "N=0". The environment is that of these tests, without the flags of a make that may run them."""
    environment = {name: value for name, value in os.environ.items() if name != "MAKEFLAGS"}
    command = ["make", target, f"VENV={sys.prefix}", *variables]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, check=False, cwd=ROOT, env=environment
    )
