"""Caches the answers of models by prompt and input, so that no answer is computed or paid for twice, even after a restart."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.config.recipe import Recipe
from vidal.models.once import KeyedLocks
from vidal.models.registry import Registry, adapter_of
from vidal.storage.answer_store import FileAnswers
from vidal.storage.storage import Storage


class ResponseCache:
    """The stored answers of one model. An answer is reused if the model, its options, its adapter, the prompt and the input are the same.

    If the recipe's `cache` names a folder, the answers are stored there, in one file each. All shards and datasets that name this folder
    reuse them. If `cache` is not set, they are stored in `OUT/_cache`, in one file per part. Then only the same shard reuses them.

    Safe to share between threads: if several threads ask for an answer at once, it is computed once.
    """

    def __init__(self, recipe: Recipe, storage: Storage, registry: Registry, spec: ModelSpec, revision: str):
        self._storage = storage
        self._shared = FileAnswers(Storage(recipe.cache), "") if recipe.cache else None
        self._model = [spec.adapter, spec.id, revision, spec.options, adapter_of(registry, spec).version]
        self._locks = KeyedLocks()

    def get(self, prompt: str, given: Any, make: Callable[[], Any]) -> Any:
        """Returns the stored answer; if none is stored, calls make() and stores its result as JSON.

        given: the input of the model, as values that JSON can hold; hashes stand for media.
        """
        key = ids.fingerprint([self._model, prompt, given])
        store = self._shared or self._storage.answers
        self._locks.acquire(key)
        try:
            answer = store.read(key)
            if answer is None:
                answer = json.dumps(make(), ensure_ascii=False).encode(errors="replace").decode()
                store.write(key, answer)
            return json.loads(answer)
        finally:
            self._locks.release(key)
