"""Counts the work of the stages through Ray's metrics API. Every node exports the counters to Prometheus, with the prefix "ray_"."""

from __future__ import annotations

from ray.util.metrics import Counter

from vidal.pipeline.observed import PartWork


class RayMetrics:
    """The counters of one worker process. Calling an instance adds to the counters what a stage has done with one part."""

    def __init__(self) -> None:
        self._records = Counter(
            "vidal_records",
            "Candidates, clips and views that ended in a stage or went on to the next.",
            ("stage", "subject", "status", "reason"),
        )
        self._seconds = Counter("vidal_stage_seconds", "Seconds that a stage has worked.", ("stage", "clock"))
        self._tokens = Counter("vidal_tokens", "Tokens that models have read (in) and written (out).", ("stage", "way"))
        self._bytes = Counter("vidal_bytes_written", "Bytes of media and tables that a stage has stored.", ("stage",))

    def __call__(self, work: PartWork) -> None:
        for (subject, status, reason), count in work.ended.items():
            self._records.inc(count, {"stage": work.stage, "subject": subject, "status": status, "reason": reason})
        for clock, seconds in (("wall", work.wall_s), ("cpu", work.cpu_s)):
            if seconds > 0:
                self._seconds.inc(seconds, {"stage": work.stage, "clock": clock})
        for way, count in work.tokens.items():
            self._tokens.inc(count, {"stage": work.stage, "way": way})
        if work.bytes_written:
            self._bytes.inc(work.bytes_written, {"stage": work.stage})
