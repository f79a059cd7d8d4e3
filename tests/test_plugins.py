"""A package outside of vidal adds a source, an adapter and a view, and nothing else is touched: examples/edge_view."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.conftest import LIGHT, ROOT, sets, write_video

RECIPE = """
extends: embedded
name: with_edges
plugins: [edge_view]
search: [{source: paths, file: PATHS, per_term: 5}]
terms: {corpora: [{source: mine, path: TERMS}], count: 2}
edges: {compress_level: 1}
"""


def vidal(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it who has installed the package."""
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'examples'}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-m", "vidal.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, check=False)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, tuple[str, ...]]:
    """The recipe, the dataset, and the options that it was built with."""
    folder = tmp_path_factory.mktemp("plugin")
    for name in ("a_gray_wall", "a_gray_door"):
        write_video(folder / f"{name}.mp4")
    (folder / "paths.txt").write_text("".join(f"{folder / name}.mp4\n" for name in ("a_gray_wall", "a_gray_door")))
    (folder / "terms.txt").write_text("wall\ndoor\n")
    text = RECIPE.replace("PATHS", str(folder / "paths.txt")).replace("TERMS", str(folder / "terms.txt"))
    (folder / "with_edges.yaml").write_text(text)
    options = (
        "--recipe",
        str(folder / "with_edges.yaml"),
        *sets(*LIGHT, "filters.similarity_min=null", "duplicates.near=false", "duplicates.exact=false"),
    )
    done = vidal("build-shard", "0", "--out", str(folder / "data"), *options)
    assert done.returncode == 0, done.stderr
    return folder / "with_edges.yaml", folder / "data", options


def test_its_source_and_its_view_are_built_on_ray_like_those_that_ship(built):
    _, out, _ = built
    clips = pd.read_parquet(out)
    assert sorted(clips.title) == ["a gray door", "a gray wall"] and set(clips.platform) == {"paths"}
    for clip in clips.itertuples():
        assert len(clip.edges_paths) == len(clip.frame_paths) > 0
        edges = np.asarray(Image.open(out / clip.edges_paths[0]))
        assert edges.dtype == np.uint8 and "edges" in list(clip.synthetic_views)
        assert clip.scores["edges_mean"] >= 0
    ledger = pd.read_parquet(out / "_ledger")
    assert len(ledger[(ledger.view == "edges") & (ledger.status == "kept")]) == 2


def test_the_other_commands_know_its_view(built, tmp_path):
    recipe, out, options = built
    checked = vidal("validate", str(out))  # Without the recipe, and so without the package.
    assert checked.returncode == 0, checked.stdout
    assert "edges" in vidal("plan", "--recipe", str(recipe)).stdout
    assert vidal("report", str(out)).returncode == 0
    refiltered = vidal("filter", str(out), "--set", "edges_mean_min=1000")
    assert "2 clips before, 0 now" in refiltered.stdout
    assert "2 clips now" not in refiltered.stdout
    again = vidal("filter", str(out), "--set", "edges_mean_min=null")
    assert "0 clips before, 2 now" in again.stdout
    unchanged = vidal("build-shard", "0", "--out", str(out), *options)
    assert "unchanged" in unchanged.stdout or unchanged.returncode == 0


def test_a_damaged_file_of_its_view_is_found(built):
    _, out, _ = built
    path = next((out / "_media").rglob("edges/0.png"))
    content = path.read_bytes()
    try:
        path.write_bytes(b"no picture")
        assert "edges/0.png has another sha256" in vidal("validate", str(out)).stdout
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("extends: embedded\nplugins: [no_such_package]\n", "no_such_package cannot be imported"),
        ("extends: embedded\nplugins: [edge_view]\nedges: {compress: 1}\n", "edges.compress: unknown key"),
        ("extends: embedded\nedges: {}\n", "edges: unknown key"),
        ("extends: embedded\nfilters: {edges_mean_min: 1}\n", "edges_mean_min: must be the name of a score"),
    ],
)
def test_what_is_wrong_is_one_line_and_exit_code_2(tmp_path, text, message):
    (tmp_path / "r.yaml").write_text(text)
    done = vidal("plan", "--recipe", str(tmp_path / "r.yaml"))
    assert done.returncode == 2 and message in done.stderr and len(done.stderr.splitlines()) == 1
