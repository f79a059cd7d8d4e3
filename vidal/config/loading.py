"""Loads recipes from YAML files, with the recipes that they extend and the keys that --set overrides."""

from __future__ import annotations

from operator import eq
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from vidal.config import packaged_files
from vidal.config.recipe import Recipe, recipe_from
from vidal.errors import UserError


def load_recipe(name: str, overrides: tuple[str, ...] = (), **values: Any) -> Recipe:
    """Loads a recipe. name: a recipe in pipelines/ or a path to a YAML file; overrides: "key.path=yaml value".

    values: replace top-level keys; None leaves a key as it is. Raises UserError for anything that is wrong, with the path of the key.
    """
    data = _read(_path(name))
    for override in overrides:
        _set(data, override)
    data.update({key: value for key, value in values.items() if value is not None})
    try:
        return recipe_from(data)
    except ValidationError as error:
        raise UserError(f"recipe {name}: {_first_line(error)}") from error


def with_filters(recipe: Recipe, overrides: tuple[str, ...]) -> Recipe:
    """Returns the recipe with other thresholds. overrides: "similarity_min=0.25"; null removes a threshold.

    Raises UserError for an unknown score or a wrong value.
    """
    return with_overrides(
        recipe, tuple(each if each.startswith("filters.") else f"filters.{each}" for each in overrides)
    )


def with_overrides(recipe: Recipe, overrides: tuple[str, ...]) -> Recipe:
    """Returns the recipe with other values for some keys. overrides: "key.path=yaml value".

    Raises UserError for an unknown key or a wrong value.
    """
    if not overrides:
        return recipe
    data: dict[str, object] = recipe.model_dump(mode="json")
    for override in overrides:
        _set(data, override)
    try:
        return recipe_from(data)
    except ValidationError as error:
        raise UserError(f"--set {_blamed(overrides, error)}: {_first_line(error)}") from error


def _blamed(overrides: tuple[str, ...], error: ValidationError) -> str:
    """Returns the override that set the wrong key; the last override if none of them set it."""
    where = [str(key) for key in error.errors()[0]["loc"]]
    keys = {each: each.partition("=")[0].split(".") for each in overrides}
    # The error may name a key within the one that was set, or a section, if several of its keys do not agree.
    return next((each for each, key in keys.items() if all(map(eq, key, where))), overrides[-1])


def recipe_names() -> list[str]:
    return sorted(path.stem for path in packaged_files.folder("pipelines").glob("*.yaml"))


def _path(name: str) -> Path:
    path = Path(name) if name.endswith((".yaml", ".yml")) else packaged_files.folder("pipelines") / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"no recipe {name!r}: give a YAML file, or one of {', '.join(recipe_names())}")
    return path


def _read(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, object]:
    if path.resolve() in seen:
        raise UserError(f"recipe {path}: extends itself, directly or through another recipe")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"recipe {path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise UserError(f"recipe {path}: must be a mapping of keys to values")
    parent = data.pop("extends", None)
    if parent is None:
        return data
    beside = path.parent / f"{parent}.yaml"
    base = _read(beside if beside.is_file() else _path(str(parent)), (*seen, path.resolve()))
    return _merge(base, data)


def _merge(base: dict[str, object], over: dict[str, object]) -> dict[str, object]:
    """Returns `base` updated with the values of `over`. Nested mappings are merged key by key.

    A mapping with the key `adapter` describes a model. It replaces the old mapping as a whole, so that it inherits no options of another
    adapter.
    """
    merged = dict(base)
    for key, value in over.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and "adapter" not in value:
            merged[key] = _merge(before, value)
        else:
            merged[key] = value
    return merged


def _set(data: dict[str, object], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise UserError(f"--set {override!r}: must be key.path=value")
    *parents, last = path.split(".")
    node = data
    for key in parents:
        child = {} if node.get(key) is None else node[key]
        if not isinstance(child, dict):
            raise UserError(f"--set {override!r}: {key} is a single value, so it has no keys to set")
        copied: dict[str, object] = dict(child)
        node[key] = copied
        node = copied
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override!r}: the value is not valid YAML") from error


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "(top)"
    what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
    more = error.error_count() - 1
    return f"{where}: {what}" + (f" (and {more} more)" if more else "")
