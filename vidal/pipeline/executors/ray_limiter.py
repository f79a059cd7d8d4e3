"""The rate limiter of a Ray cluster: one named actor for all jobs, which ends when no job needs it any more."""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from typing import Any

import ray
from ray.exceptions import GetTimeoutError, RayActorError

from vidal.net.identity_budgets import IdentityRules, Use
from vidal.net.rate_limiter import Admission, HostRules, LocalRateLimiter

# Raise this with any change to the methods of a limiter or to what they take and return. Jobs of two protocols have two limiters.
PROTOCOL = 2
NAMESPACE = "vidal"
# A job that the limiter has not heard from for this many seconds counts as dead.
HOLD_S = 45.0
_HEARTBEAT_S = 8.0
_CREATE_AGAIN_S = 0.5
# How long a limiter may be away while Ray starts it on another node, and how often a worker looks for it meanwhile.
_AWAY_S, _ASK_AGAIN_S = 300.0, 1.0


class SharedRateLimiter:
    """A handle of a LocalRateLimiter in a named actor, which all jobs of the cluster can find. The handle is sent to the workers.

    If the node of the actor dies, Ray starts it again elsewhere. Calls that need an answer wait until then, so that no record fails.
    """

    def __init__(self, actor: Any, name: str):
        self._actor, self._name = actor, name

    def request_slot(self, host: str, lease: str, rules: HostRules) -> Admission:
        admission: Admission = self._ask("request_slot", host, lease, rules)
        return admission

    def renew_leases(self, leases: list[tuple[str, str]], lease_s: float) -> None:
        self._actor.renew_leases.remote(leases, lease_s)

    def release_slot(self, host: str, lease: str, unused: int = 0) -> None:
        self._actor.release_slot.remote(host, lease, unused)

    def record_success(self, host: str) -> None:
        self._actor.record_success.remote(host)

    def record_failure(self, host: str, rules: HostRules, pause_s: float | None) -> bool:
        is_worth_waiting: bool = self._ask("record_failure", host, rules, pause_s)
        return is_worth_waiting

    def use_identity(self, rules: IdentityRules, use: Use) -> float:
        wait_s: float = self._ask("use_identity", rules, use)
        return wait_s

    def identity_wait_s(self, rules: IdentityRules) -> float:
        wait_s: float = self._ask("identity_wait_s", rules)
        return wait_s

    def pause_identity(self, rules: IdentityRules, pause_s: float) -> None:
        self._ask("pause_identity", rules, pause_s)

    def _ask(self, method: str, *args: object) -> Any:
        """Calls a method of the actor, again and again while it cannot be reached. Raises RayActorError after five minutes."""
        gives_up_at = time.monotonic() + _AWAY_S
        while True:
            try:
                return ray.get(getattr(self._actor, method).remote(*args))
            except RayActorError:
                if time.monotonic() > gives_up_at:
                    raise
            time.sleep(_ASK_AGAIN_S)
            with contextlib.suppress(ValueError):  # There is no such actor at the moment.
                self._actor = ray.get_actor(self._name, namespace=NAMESPACE)


class LimiterHold:
    """Keeps the cluster's limiter alive for one job, by regular reports that the job is alive. Creates the limiter if there is none."""

    def __init__(self, protocol: int = PROTOCOL) -> None:
        self._name = f"crawl-rate-limiter-{protocol}"
        self._job = uuid.uuid4().hex
        self._is_over = threading.Event()
        self._actor: Any = None
        self._actor = self._take_hold()
        self.limiter = SharedRateLimiter(self._actor, self._name)
        self._thread = threading.Thread(target=self._report, name="limiter-hold", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Tells the limiter that this job no longer needs it. The limiter ends when no job needs it any more."""
        self._is_over.set()
        self._thread.join()
        self._actor.let_go.remote(self._job)

    def _take_hold(self) -> Any:
        actor_class = ray.remote(num_cpus=0, max_restarts=-1, max_task_retries=3)(_HeldLimiter)
        while not self._is_over.is_set():
            options = {"name": self._name, "namespace": NAMESPACE, "get_if_exists": True, "lifetime": "detached"}
            actor = actor_class.options(**options).remote(self._name)
            try:
                if ray.get(actor.hold.remote(self._job), timeout=_HEARTBEAT_S):
                    return actor
            except (RayActorError, GetTimeoutError):
                pass  # The actor has just ended, or its node has.
            time.sleep(_CREATE_AGAIN_S)
        return self._actor

    def _report(self) -> None:
        """Tells the limiter regularly that the job is alive. If the limiter has ended meanwhile, another one is created."""
        while not self._is_over.wait(_HEARTBEAT_S) and ray.is_initialized():
            self._actor = self._take_hold()


class _HeldLimiter(LocalRateLimiter):
    """The cluster's rate limiter, as a Ray actor. It ends when no job needs it any more.

    A job needs it until the job calls `let_go`, or has not called `hold` for HOLD_S seconds.
    """

    def __init__(self, name: str):
        super().__init__()
        self._name = name
        self._holds: dict[str, float] = {}
        self._holding = threading.Condition()
        self._is_ending = False
        threading.Thread(target=self._watch, daemon=True).start()

    def hold(self, job: str) -> bool:
        """Notes that the job is alive. Returns False if this actor is ending: the job then needs another actor."""
        with self._holding:
            self._holds[job] = time.monotonic() + HOLD_S
            return not self._is_ending

    def let_go(self, job: str) -> None:
        with self._holding:
            self._holds.pop(job, None)
            self._holding.notify()

    def _watch(self) -> None:
        """Waits until no job holds the actor, then ends it.

        An actor that has just been created or restarted has not heard from its jobs yet, so it stays for at least HOLD_S seconds.
        """
        self.hold("creation")
        with self._holding:
            while self._holds:
                self._holding.wait(1.0)
                now = time.monotonic()
                self._holds = {job: until for job, until in self._holds.items() if until > now}
            self._is_ending = True
        ray.kill(ray.get_actor(self._name, namespace=NAMESPACE), no_restart=True)
