"""Defines a stage: what it reads, what it returns, and what can change its output."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable
from urllib.parse import urlsplit

import pyarrow as pa

from vidal import ids
from vidal.config.base import ModelSpec
from vidal.config.recipe import Recipe
from vidal.errors import RunEndedError
from vidal.models.registry import Registry, adapter_of
from vidal.schema import Reason, Status, Subject, without_credentials
from vidal.storage.storage import Storage

Record = dict[str, Any]
# With 4 parts, a GPU stays busy if reading and writing the media of a part take at most three times as long as the model.
_PARTS_OF_A_GPU = 4


@dataclass(frozen=True)
class Runtime:
    """The current run, as far as a worker needs to know it. Except for stored_only, nothing here may change the output of a stage.

    allow_hosts: hosts that may be asked although they are in private or loopback ranges.
    endpoints: addresses of services that live as long as the run, by name.
    warm: stages with work, whose models are worth loading before the first part arrives.
    rate_limiter: the crawl's rate limiter (vidal.net.rate_limiter.RateLimiter), if the whole cluster shares one.
    stored_only: whether the run only filters, and computes no views. A clip whose views are not stored is then dropped as awaiting_views.
    new_shards: shards for which nothing is stored when the run begins. Workers do not look for stored parts of these shards.
    """

    out: str
    run_id: str
    allow_hosts: tuple[str, ...] = ()
    endpoints: dict[str, str] = field(default_factory=dict)
    warm: frozenset[str] = frozenset()
    rate_limiter: Any = None
    stored_only: bool = False
    new_shards: frozenset[int] = frozenset()

    def check_alive(self) -> None:
        """Raises RunEndedError if a service of the run, such as the embedded site, does not answer: the run has then ended.

        Called before a transient failure is recorded.
        """
        for name, url in self.endpoints.items():
            address = urlsplit(url)
            try:
                socket.create_connection((address.hostname, address.port or 80), timeout=10).close()
            except OSError as error:
                raise RunEndedError(
                    f"this run's own service {name} at {url} does not answer ({error}), so the run has ended: run the same command again"
                ) from error


@dataclass(frozen=True)
class Part:
    """Refers to a part, which is a batch of the candidates of a shard. It is sent through Ray in place of the rows."""

    shard: int
    index: int


@dataclass(frozen=True)
class Drop:
    """The result of a worker for a record that does not qualify. This is an outcome, not an error."""

    reason: Reason
    detail: str = ""


@dataclass(frozen=True)
class ViewOutcome:
    """The outcome of one view of a clip."""

    view: str
    status: Status
    reason: Reason = Reason.OK
    detail: str = ""
    transient: bool = False
    attempts: int = 1


@dataclass(frozen=True)
class Output:
    """The result of a worker for a record.

    rows: the rows for the next stage; a candidate may become several clips. views: the outcomes of the views that the stage computes.
    attempts, detail: the values of these columns in the record's ledger row, if the record ends at this stage.
    """

    rows: Sequence[Mapping[str, Any]]
    views: tuple[ViewOutcome, ...] = ()
    attempts: int = 1
    detail: str = ""


Worker = Callable[[Any], "Output | Drop"]  # Called with a Candidate or a Clip.


@dataclass(frozen=True)
class ModelUse:
    """A purpose for which a stage can use a model.

    role: the name of the purpose, such as "keyframe"; empty for the only or main model of a stage. spec: the model that the recipe names
    for the purpose; None if it names none. registry: the adapters (classes that run models) that the recipe may choose from.
    """

    role: str
    registry: Registry
    spec: ModelSpec | None


@runtime_checkable
class Batched(Protocol):
    """A worker that accepts several records at once. Each record gets the result that it would get alone."""

    def size(self, record: Any) -> int:
        """Returns the size of a record, such as the number of its pictures.

        The sizes of the records in a batch add up to at most resources.<stage>.batch_size. A larger record is a batch of its own.
        """

    def many(self, records: list[Any]) -> list[Output | Drop]: ...


@runtime_checkable
class Waiting(Protocol):
    """A worker that may have to wait until a host accepts requests. `worker(record)` waits; `worker.attempt(record)` does not."""

    def attempt(self, record: Any) -> Output | Drop:
        """Returns the result of a record. Raises PutBack instead of waiting: the record is then passed to the worker again later."""


@dataclass(frozen=True)
class WorkIdentity:
    """Identifies the work of a stage. Stored results are used again if this identity and the inputs have not changed.

    versions: the versions of the stage and of the classes that open the recipe's models, by name. Developers raise a version when they
    change the output, because the code itself is not hashed. choices: a hash of the settings and weights that affect the output.
    """

    versions: dict[str, int]
    choices: str

    @property
    def fingerprint(self) -> str:
        return ids.fingerprint([self.versions, self.choices])


@dataclass(frozen=True)
class Stage:
    """One step of the pipeline.

    version: developers increase it with any change to the output, so that the work of earlier versions is done again.
    subject: what a record is.
    reads: the stages whose tables it reads. Each row of the first table is a record. The columns of the other tables are joined to it by
    clip_id. If another table has no row for a record, the record is left out.
    schema: the schema of the stage's own table.
    open: creates the worker and loads its models.
    settings: returns the part of the recipe that affects the output.
    models: returns the models that the recipe chooses for the stage.
    views: returns the names of the views that only this stage computes for a record. If the stage fails on a clip, the clip loses these
    views, but goes on to the next stage. If `views` is None, a record on which the stage fails ends here.
    empty: returns the row of a clip on which the stage failed. The row lacks the views.
    terminal: whether a record that passes this stage ends here, with the status "kept".
    concurrency: returns the number of threads of a worker.
    parts_at_once: returns how many parts a worker may work on at the same time. Each part has a thread of its own. If the worker is not
    safe to share between threads, the number must be 1.
    """

    name: str
    version: int
    subject: Subject
    reads: tuple[str, ...]
    schema: pa.Schema
    open: Callable[[Recipe, Runtime, Storage], Worker]
    settings: Callable[[Recipe], Any]
    models: Callable[[Recipe], list[ModelUse]] = lambda recipe: []
    views: Callable[[Any], tuple[str, ...]] | None = None
    empty: Callable[[Any], Mapping[str, Any]] | None = None
    terminal: bool = False
    concurrency: Callable[[Recipe], int] = lambda recipe: 1
    parts_at_once: Callable[[Recipe], int] = lambda recipe: 1

    @property
    def key(self) -> str:
        return "candidate_id" if self.subject is Subject.CANDIDATE else "clip_id"

    def identity(self, recipe: Recipe) -> WorkIdentity:
        """Returns what the results of this stage depend on: versions, and a hash of settings and weights.

        Raises UserError for an unknown adapter, or for unreadable weights or prompts.
        """
        chosen = [(use.registry, use.spec) for use in self.models(recipe) if use.spec]
        adapters = [adapter_of(registry, spec) for registry, spec in chosen]
        settings = self.settings(recipe)
        dumped = settings.model_dump(mode="json") if hasattr(settings, "model_dump") else settings
        weights = [adapter.weights.identity(spec) for adapter, (_, spec) in zip(adapters, chosen, strict=True)]
        return WorkIdentity(
            versions={self.name: self.version, **{adapter.name: adapter.version for adapter in adapters}},
            choices=ids.fingerprint([self.name, without_device(dumped), weights]),
        )

    def fingerprint(self, recipe: Recipe) -> str:
        """Returns a hash of what decides the output for an input: settings, weights, and the versions of the stage and its adapters."""
        return self.identity(recipe).fingerprint


def overlapping(stage: str) -> Callable[[Recipe], int]:
    """Returns a function for the field `parts_at_once` of a stage that has a model. stage: the name of the stage.

    The function returns resources.<stage>.parts_at_once. If the recipe does not set this number, the function returns 4 for a stage with
    a GPU, and 1 for any other stage.

    Each part that a worker works on has a thread of its own, so the worker must be safe to share between threads. The model computes for
    one part at a time (see vidal.models.loading.computing). Meanwhile, the threads of the other parts read and write media.
    """

    def parts_at_once(recipe: Recipe) -> int:
        resources = recipe.resources_of(stage)
        has_gpu = bool(resources.gpus or resources.gpu_memory)
        return resources.parts_at_once or (_PARTS_OF_A_GPU if has_gpu else 1)

    return parts_at_once


def without_device(settings: Any) -> Any:
    """Returns dumped settings without the devices of models and without passwords, because these do not change the output."""
    if isinstance(settings, dict):
        kept = settings.keys() - ({"device"} if "adapter" in settings else set())
        return {key: without_device(settings[key]) for key in kept}
    if isinstance(settings, (list, tuple)):
        return [without_device(each) for each in settings]
    return without_credentials(settings) if isinstance(settings, str) else settings
