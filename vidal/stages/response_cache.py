"""Caches the answers of models by their questions: none is computed or paid for twice, across restarts, shards and upgrades."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.config.recipe import Recipe
from vidal.models.once import KeyedLocks
from vidal.models.registry import Registry, adapter_of
from vidal.storage import layout
from vidal.storage.storage import Storage


class ResponseCache:
    """Keyed by model, revision, options, version of the adapter, prompt and input. Each answer is a small JSON file, written by rename.

    The cache is in the dataset (`OUT/_cache`), or in the folder that the recipe's `cache` names, so that datasets can share it. Safe
    to share between threads: a question that several ask at once is computed once.
    """

    def __init__(self, recipe: Recipe, storage: Storage, registry: Registry, spec: ModelSpec, revision: str):
        self._storage = Storage(recipe.cache) if recipe.cache else storage
        self._folder = "" if recipe.cache else f"{layout.CACHE}/"
        self._model = [spec.adapter, spec.id, revision, spec.options, adapter_of(registry, spec).version]
        self._locks = KeyedLocks()

    def get(self, prompt: str, given: Any, make: Callable[[], Any]) -> Any:
        """Returns the stored answer, or the result of make(), which is then stored. given: the input as JSON, with hashes of media."""
        key = ids.fingerprint([self._model, prompt, given])
        name = f"{self._folder}{key[:2]}/{key}.json"
        self._locks.acquire(key)
        try:
            if self._storage.exists(name):
                return json.loads(self._storage.read(name))
            answer = json.dumps(make(), ensure_ascii=False).encode(errors="replace")
            self._storage.write(name, answer)
            return json.loads(answer)
        finally:
            self._locks.release(key)
