"""Counts the requests that each host has had today, in storage, so that a restart does not start at zero."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timezone

from vidal.storage.storage import Storage

_SAVED_EVERY_S = 2.0


@dataclass(frozen=True)
class QuotaFile:
    """The file that counts the requests of a day: the URI of a storage and a name in it."""

    uri: str
    name: str


class DailyQuota:
    """Counts requests by host and day (UTC). Without a file the counts last as long as the object."""

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._counts: dict[QuotaFile | None, dict[str, int]] = {}
        self._saved_at = 0.0
        self._day = ""

    def take_request(self, host: str, limit: int, file: QuotaFile | None) -> bool:
        """Counts one more request to the host. Returns False, and counts nothing, if it has had `limit` requests today."""
        counts = self._todays_counts(file)
        if counts.get(host, 0) >= limit:
            return False
        counts[host] = counts.get(host, 0) + 1
        if file and self._clock() - self._saved_at >= _SAVED_EVERY_S:
            self._save(file)
        return True

    def seconds_until_tomorrow(self) -> float:
        now = datetime.now(timezone.utc)
        return 86_400.0 - (now.hour * 3600 + now.minute * 60 + now.second)

    def _todays_counts(self, file: QuotaFile | None) -> dict[str, int]:
        today = datetime.now(timezone.utc).date().isoformat()
        if today != self._day:
            self._counts, self._day = {}, today
        if file not in self._counts:
            self._counts[file] = self._load(file)
        return self._counts[file]

    def _load(self, file: QuotaFile | None) -> dict[str, int]:
        if file is None or not (storage := Storage(file.uri)).exists(file.name):
            return {}
        saved = json.loads(storage.read(file.name))
        requests: dict[str, int] = saved["requests"] if saved["day"] == self._day else {}
        return requests

    def _save(self, file: QuotaFile) -> None:
        self._saved_at = self._clock()
        text = json.dumps({"day": self._day, "requests": self._counts[file]}, sort_keys=True)
        Storage(file.uri).write(file.name, text.encode())
