"""Counts the requests that each host has had today, in storage, so that a restart does not start at zero.

What is stored is ahead of what was counted: a few requests are reserved at a time, so that no request is lost with a process that is
killed, and that not every request costs a write.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone

from vidal.storage.storage import Storage

# The share of a day's requests that is reserved at once.
_RESERVED = 0.01


@dataclass(frozen=True)
class QuotaFile:
    """The file that counts the requests of a day: the URI of a storage and a name in it."""

    uri: str
    name: str


class DailyQuota:
    """Counts requests by host and day (UTC). Without a file the counts last as long as the object."""

    def __init__(self) -> None:
        self._counts: dict[QuotaFile | None, dict[str, int]] = {}
        self._reserved: dict[QuotaFile, dict[str, int]] = {}
        self._day = ""

    def take_request(self, host: str, limit: int, file: QuotaFile | None) -> bool:
        """Counts one more request to the host. Returns False, and counts nothing, if it has had `limit` requests today."""
        counts = self._todays_counts(file)
        if counts.get(host, 0) >= limit:
            return False
        counts[host] = counts.get(host, 0) + 1
        if file and counts[host] > self._reserved[file].get(host, 0):
            self._reserved[file][host] = min(limit, counts[host] + int(limit * _RESERVED))
            self._save(file)
        return True

    def seconds_until_tomorrow(self) -> float:
        now = datetime.now(timezone.utc)
        return 86_400.0 - (now.hour * 3600 + now.minute * 60 + now.second)

    def _todays_counts(self, file: QuotaFile | None) -> dict[str, int]:
        today = datetime.now(timezone.utc).date().isoformat()
        if today != self._day:
            self._counts, self._reserved, self._day = {}, {}, today
        if file not in self._counts:
            self._counts[file] = self._load(file)
            if file:
                self._reserved[file] = dict(self._counts[file])
        return self._counts[file]

    def _load(self, file: QuotaFile | None) -> dict[str, int]:
        saved = Storage(file.uri).read_if_present(file.name) if file else None
        stored = json.loads(saved) if saved else {}
        requests: dict[str, int] = stored["requests"] if stored.get("day") == self._day else {}
        return requests

    def _save(self, file: QuotaFile) -> None:
        text = json.dumps({"day": self._day, "requests": self._reserved[file]}, sort_keys=True)
        Storage(file.uri).write(file.name, text.encode())
