"""No code of ours is parsed or read while a build runs: the threads of a worker import torch meanwhile, which parses code too."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import LIGHT, ROOT, sets, write_video

# Imports what a worker of Ray does, builds as the command does, and prints the files of our modules that are then loaded.
PROGRAM = """
import json, sys
import vidal.pipeline.runner, vidal.stages, vidal.pipeline.executors.ray, vidal.pipeline.executors.inline
from vidal.cli import main as cli
try:
    cli.main()
except SystemExit as ended:
    assert not ended.code, ended.code
ours = [module for name, module in sys.modules.items() if name.split(".")[0] == "vidal"]
print(json.dumps(sorted(module.__file__ for module in ours if getattr(module, "__file__", None))))
"""
PARSERS = {"ast", "tokenize", "symtable", "dis", "lib2to3"}
# Lists are read before the workers start, in a process without torch; cells that hold Python lists are read by ast.literal_eval.
BEFORE_WORKERS = {"listed_values.py"}
READERS = {"getsource", "getsourcelines", "getsourcefile", "findsource", "co_code"}


def parsing(source: str) -> list[str]:
    """What a module imports or names, anywhere in it, that reads or parses code."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name.split(".")[0] for alias in node.names if alias.name.split(".")[0] in PARSERS]
        elif isinstance(node, ast.ImportFrom):
            names += [node.module] if (node.module or "").split(".")[0] in PARSERS else []
            names += [alias.name for alias in node.names if alias.name in READERS]
        elif isinstance(node, ast.Attribute):
            names += [node.attr] if node.attr in READERS else []
    return names


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("import ast", ["ast"]),
        ("def f():\n    from tokenize import tokenize", ["tokenize"]),
        ("import inspect\ninspect.getsource(f)", ["getsource"]),
        ("from inspect import getsource as read", ["getsource"]),
        ("import inspect\ninspect.signature(f)", []),
    ],
)
def test_code_that_parses_code_is_recognised(source, names):
    assert parsing(source) == names


def test_no_module_of_ours_that_a_build_loads_parses_code(serve_folder, tmp_path):
    (tmp_path / "site").mkdir()
    write_video(tmp_path / "site" / "wall.mp4")
    (tmp_path / "clips.csv").write_text(f"url,title\n{serve_folder(tmp_path / 'site')}/wall.mp4,A gray wall\n")
    overrides = sets(*LIGHT, "filters.similarity_min=null", "engine.executor=inline")
    arguments = ["build-shard", "0", "--catalogue", str(tmp_path / "clips.csv"), "--allow-host", "127.0.0.1"]
    command = [sys.executable, "-c", PROGRAM, *arguments, "--out", str(tmp_path / "out"), *overrides]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    files = [Path(name) for name in json.loads(done.stdout.splitlines()[-1])]
    modules = {f"{file.parent.name}/{file.name}" for file in files}
    assert {
        "dataset/build.py",
        "pipeline/runner.py",
        "similarity/stage.py",
        "manifest/stage.py",
        "executors/ray.py",
    } <= modules
    in_workers = [file for file in files if file.name not in BEFORE_WORKERS]
    assert {file.name: found for file in in_workers if (found := parsing(file.read_text()))} == {}
