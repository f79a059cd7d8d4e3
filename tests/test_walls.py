"""The plan of the house: a room imports only rooms that stand above it, so that data flows one way and each room can be read alone."""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from benchmarks.structure import ROOT, Code, cycles, imported_modules

# From the ground up. A room may import those above it in this list.
HOUSE = (
    "words",  # schema, ids, errors, scores, records: the words that all rooms use
    "config",  # what a setting is, how a recipe is read
    "storage",  # bytes on a disk or in a bucket
    "media",  # bytes in, arrays out
    "net",  # the one way out to the internet
    "models",  # networks and the programs around them
    "pipeline",  # parts, executors, the ledger
    "terms",  # what to search for
    "sources",  # where candidates come from
    "crawl",  # a candidate becomes a clip
    "stages",  # a clip gets its views
    "dedup",  # copies, within a shard and across shards
    "dataset",  # shards: built, committed, retried, validated
    "export",  # for other readers
    "report",  # for the eye
    "train",  # an encoder for each modality
    "evaluate",  # how good the encoders are
    "estimators",  # the networks for depth and infrared that the project trains itself
    "cli",  # the commands
)
WORDS = {"vidal.schema", "vidal.ids", "vidal.errors", "vidal.scores", "vidal.extra", "vidal.records"}
MAX_ROOT_FILES, MAX_ROOMS = 6, 24
# The recipe is made of the settings of all rooms: the one file that looks down.
COMPOSES_SETTINGS = "vidal.config.recipe"
# They read datasets, and must work where no dataset can be built.
NEVER_IMPORT = {("train", "stages"), ("evaluate", "stages")}
RAY = {
    *(f"vidal.pipeline.executors.{name}" for name in ("ray", "ray_limiter", "ray_metrics", "ray_start")),
    "vidal.train.cluster",
}

# TODO: holes in the walls of today, each a module and the room that it should not import. A hole that is closed must go from here.
HOLES: set[tuple[str, str]] = set()

CODE = Code(ROOT)


def room_of(module: str) -> str:
    return "words" if module in WORDS else CODE.room(module)


def is_allowed(module: str, imported: str) -> bool:
    room, other = room_of(module), room_of(imported)
    if room == other or module in ("vidal", COMPOSES_SETTINGS) or imported == "vidal":
        return True
    return HOUSE.index(other) < HOUSE.index(room) and (room, other) not in NEVER_IMPORT


def imported_packages(tree: ast.Module) -> set[str]:
    """The packages outside and inside vidal that a file imports, at its top level or in a function."""
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    return {name.partition(".")[0] for name in names}


def test_every_room_stands_in_the_plan() -> None:
    rooms = {room_of(module) for module in CODE.paths if module != "vidal"}
    assert rooms == set(HOUSE)


def test_a_room_imports_only_rooms_above_it() -> None:
    pairs = {(module, imported) for module, names in CODE.imports.items() for imported in names}
    holes = {(module, room_of(imported)) for module, imported in pairs if not is_allowed(module, imported)}
    assert sorted(holes - HOLES) == [], "these imports break a wall"
    assert sorted(HOLES - holes) == [], "these holes are closed: take them from HOLES"


def test_only_the_executor_and_the_trainers_launcher_import_ray() -> None:
    assert {module for module, tree in CODE.trees.items() if "ray" in imported_packages(tree)} == RAY


def test_no_modules_import_each_other_while_they_load() -> None:
    imports = {
        module: imported_modules(tree, CODE.trees.keys(), into_functions=False) - {module}
        for module, tree in CODE.trees.items()
    }
    assert cycles(imports) == []


def test_the_house_stays_small() -> None:
    root_files = [module for module, path in CODE.paths.items() if path.parent == ROOT / "vidal" and module != "vidal"]
    folders = {CODE.room(module) for module in CODE.paths} - {"", *(module.partition(".")[2] for module in root_files)}
    assert len(root_files) <= MAX_ROOT_FILES
    assert len(root_files) + len(folders) <= MAX_ROOMS


@pytest.mark.parametrize("package", ["vidal.stages", "vidal.models", "vidal.sources"])
def test_importing_a_package_imports_nothing_that_stands_in_it(package: str) -> None:
    """A worker imports the one stage, adapter or source that it runs."""
    code = f"import sys, {package}; print([name for name in sys.modules if name.startswith('{package}.')])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
