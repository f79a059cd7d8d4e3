"""Makes the methods of an adapter run in one thread at a time, so that adapters need not be thread-safe."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

from vidal.models.loading import computing

AdapterT = TypeVar("AdapterT")


def one_at_a_time(adapter: type[AdapterT]) -> type[AdapterT]:
    """Returns a subclass of `adapter`. Its public methods wait while another thread of the process computes with a model.

    Without the wait, threads that share a tokenizer of transformers, for example, can fail with "Already borrowed".
    """
    names = [name for name in dir(adapter) if not name.startswith("_")]
    methods = {name: inspect.getattr_static(adapter, name) for name in names}
    in_turn = {name: _in_turn(method) for name, method in methods.items() if isinstance(method, FunctionType)}
    return type(adapter.__name__, (adapter,), in_turn)


def _in_turn(method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def call(*args: Any, **kwargs: Any) -> Any:
        with computing():
            return method(*args, **kwargs)

    return call
