"""Locks the code of stages and adapters beside their versions: `make stage-versions`.

Whether stored work is done again is decided by versions that people raise, and no code is looked at while a build runs. What
keeps that honest is tests/pipeline/stage_versions.json: for each stage and adapter its version and a digest of the code that it
reaches, and for each stage a hash of what it makes of the embedded shard. The test beside it fails where code has changed and
the version has not. This command then renews the lock, but only where the embedded shard is still what it was.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.support.code_reach import Code
from vidal import ids
from vidal.config.loading import load_recipe
from vidal.config.recipe import Recipe
from vidal.dataset import build, discover
from vidal.dataset.dataset_file import claim
from vidal.models import registry
from vidal.models.registry import Adapter, adapter_of
from vidal.pipeline.stage import Part
from vidal.sources.registry import COLLECTIONS, SOURCES
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage

ROOT = Path(__file__).parents[2]
LOCK = Path(__file__).with_name("stage_versions.json")
_DISCOVERY = [("vidal.dataset.discover", "discover"), ("vidal.dataset.discover", "search_again")]

Lock = dict[str, Any]


def adapters() -> dict[str, Adapter]:
    """By class name, of every registry."""
    registries = [value for value in vars(registry).values() if isinstance(value, dict)]
    return {entry.name: entry for each in registries for entry in each.values() if isinstance(entry, Adapter)}


def code_lock(root: Path = ROOT) -> Lock:
    """Versions and digests of the code below a folder that holds vidal/."""
    code = Code(root)
    found = discover.identity(load_recipe("embedded"), Storage("memory://none"), 0)
    # Named in the registry as texts, so that nothing that the code lock follows leads to them.
    sources = [(entry.module, entry.name) for entry in (*SOURCES.values(), *COLLECTIONS.values())]
    stages = {
        name: {
            "version": stage.version,
            "digest": code.digest([_definition(name), *(sources if name == "crawl" else [])]),
        }
        for name, stage in STAGES.items()
    }
    return {
        "discover": {"version": sum(found.versions.values()), "digest": code.digest([*_DISCOVERY, *sources])},
        "stages": stages,
        "adapters": {
            name: {"version": entry.version, "digest": code.digest([(entry.module, entry.class_name)])}
            for name, entry in sorted(adapters().items())
        },
    }


def _definition(stage: str) -> tuple[str, str]:
    """The module of a stage and the name that defines it there."""
    if stage == "crawl":
        return "vidal.stages.crawl", "STAGE"
    return str(STAGES[stage].open.__module__), "manifest_stage" if stage == "manifest" else "STAGE"


def entries(lock: Lock) -> dict[str, dict[str, Any]]:
    """ "stage captions", "adapter Tags", "discover": version and digest."""
    return {
        "discover": lock["discover"],
        **{f"stage {name}": entry for name, entry in lock["stages"].items()},
        **{f"adapter {name}": entry for name, entry in lock["adapters"].items()},
    }


def problems(locked: Lock, now: Lock) -> list[str]:
    """What does not agree with the lock, a line each."""
    before, after = entries(locked), entries(now)
    lines = [f"{name}: is not in the lock: run `make stage-versions`" for name in after.keys() - before.keys()]
    lines += [
        f"{name}: is in the lock, and no more here: run `make stage-versions`" for name in before.keys() - after.keys()
    ]
    for name in sorted(before.keys() & after.keys()):
        if before[name]["version"] != after[name]["version"]:
            lines.append(
                f"{name}: its version is {after[name]['version']} and not {before[name]['version']}: run `make stage-versions`"
            )
        elif before[name]["digest"] != after[name]["digest"]:
            lines.append(
                f"{name}: the code that it reaches has changed. If its output changes, bump its version; if it does not, "
                "run `make stage-versions`, which checks that on the embedded shard"
            )
    return lines


def embedded_contents(recipe: Recipe, out: str) -> dict[str, str]:
    """Builds the embedded shard in this process; returns a hash of what each stage made of it."""
    storage = Storage(out)
    claim(storage, recipe)
    build.build(recipe, storage, [0])
    return stored_contents(storage)


def stored_contents(storage: Storage) -> dict[str, str]:
    """For each stage a hash of its parts of shard 0, as they are stored."""
    parts = [Part(0, index) for index in range(discover.part_count(storage, 0))]
    return {
        name: ids.fingerprint([_content(storage, name, part) for part in parts])[:16]
        for name in (discover.STAGE, *STAGES)
    }


def _content(storage: Storage, stage: str, part: Part) -> str:
    return storage.metadata(layout.part_table(stage, part.shard, part.index))["content"]


def unexplained(locked: Lock, now: Lock, contents: dict[str, str]) -> list[str]:
    """Stages whose parts differ from the committed hashes, though neither they nor what they read nor an adapter was bumped."""
    raised = {
        name for name, entry in entries(now).items() if entry["version"] != entries(locked).get(name, entry)["version"]
    }
    recipe = load_recipe("embedded")
    explained = {discover.STAGE} if "discover" in raised else set()
    for name, stage in STAGES.items():
        used = {f"adapter {adapter_of(use.registry, use.spec).name}" for use in stage.models(recipe) if use.spec}
        if explained & set(stage.reads) or f"stage {name}" in raised or raised & used:
            explained.add(name)
    known = locked.get("embedded", {})
    return [name for name, content in contents.items() if known.get(name, content) != content and name not in explained]


def main(arguments: list[str]) -> int:
    """arguments: none, or --before OUT: an embedded dataset that the code before this change has built on this machine."""
    locked: Lock = json.loads(LOCK.read_text()) if LOCK.exists() else {"discover": {}, "stages": {}, "adapters": {}}
    now = code_lock()
    recipe = load_recipe("embedded", ("engine.executor=inline",))
    with tempfile.TemporaryDirectory() as folder:
        contents = embedded_contents(recipe, f"{folder}/data")
    if arguments:
        locked = {**locked, "embedded": stored_contents(Storage(arguments[-1]))}
    if LOCK.exists() and (changed := unexplained(locked, now, contents)):
        print(f"stage-versions: the parts of the embedded shard have changed: {', '.join(changed)}. Bump the version of the first, "
              "or of the adapter that it uses, and run this again. Where the lock was written on another processor, which rounds "
              "otherwise, compare with this one: git stash, make build-shard OUT=DIR, git stash pop, "
              "make stage-versions ARGS='--before DIR'", file=sys.stderr)  # fmt: skip
        return 1
    LOCK.write_text(json.dumps({**now, "embedded": contents}, indent=1) + "\n")
    print(f"{LOCK.name}: {len(entries(now))} entries")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
