"""Minutes long: the wheel as users install it, into an empty environment outside of the checkout, builds a shard."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.conftest import ROOT

pytestmark = pytest.mark.slow


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Raises, with what the command printed, where it fails. The checkout is not on the path."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, cwd=cwd, env=environment, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The environment that the wheel with its extra is installed into, as `make setup` installs a checkout."""
    folder = tmp_path_factory.mktemp("installed")
    python = folder / "venv" / "bin" / "python"
    uv = (sys.executable, "-m", "uv")
    run(*uv, "build", "--wheel", "--out-dir", folder / "dist", ROOT, cwd=folder)
    (wheel,) = (folder / "dist").glob("vidal_datasets-*.whl")
    run(*uv, "venv", "--python", sys.executable, folder / "venv", cwd=folder)
    install = (*uv, "pip", "install", "--python", python)
    run(*install, f"{wheel}[embedded]", "-c", ROOT / "constraints.txt", cwd=folder)
    run(*install, "--no-deps", "-r", ROOT / "requirements-embedded.txt", cwd=folder)
    return folder


def test_the_wheel_builds_a_shard_and_validates_it(installed: Path, tmp_path: Path) -> None:
    vidal = installed / "venv" / "bin" / "vidal"
    assert "build-shard" in run(vidal, "--help", cwd=tmp_path).stdout
    assert "not installed" not in run(vidal, "plan", cwd=tmp_path).stdout
    built = run(
        vidal, "build-shard", "0", "--out", "data", "--limit", "6", "--set", "enhanced.model=null", cwd=tmp_path
    )
    assert "shard 0" in built.stdout
    assert "0 problems" in run(vidal, "validate", "data", cwd=tmp_path).stdout
    assert len(pd.read_parquet(tmp_path / "data")) > 0
    imported = run(installed / "venv" / "bin" / "python", "-c", "import vidal; print(vidal.__file__)", cwd=tmp_path)
    assert "site-packages" in imported.stdout
