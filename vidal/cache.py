"""Answers of models, kept by what was asked: none is computed or paid for twice, across restarts, shards and code of other stages."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vidal import ids
from vidal.config import ModelSpec, Recipe
from vidal.models import module_of
from vidal.stage import code_digest
from vidal.storage import Storage

FOLDER = "_cache"


class RequestCache:
    """Keyed by model, revision, options, the adapter's code, prompt and input. One small JSON file an answer, written by rename.

    It lies in the dataset (`OUT/_cache`), or where the recipe's `cache` says, so that datasets can share it.
    """

    def __init__(self, recipe: Recipe, storage: Storage, registry: dict[str, str], spec: ModelSpec, revision: str):
        self._storage = Storage(recipe.cache) if recipe.cache else storage
        self._folder = "" if recipe.cache else f"{FOLDER}/"
        code = code_digest(module_of(registry, spec))
        self._model = [spec.adapter, spec.id, revision, spec.options, code]

    def get(self, prompt: str, given: Any, make: Callable[[], Any]) -> Any:
        """The stored answer, or what make() gives, stored. given: the input as JSON, hashes of media in place of media."""
        key = ids.fingerprint([self._model, prompt, given])
        name = f"{self._folder}{key[:2]}/{key}.json"
        if self._storage.exists(name):
            return json.loads(self._storage.read(name))
        answer = make()
        self._storage.write(name, json.dumps(answer, ensure_ascii=False).encode())
        return answer
