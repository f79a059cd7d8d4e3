"""Crawl: a candidate becomes a clip in storage, or has a typed outcome."""

from __future__ import annotations

from typing import Any

from vidal import schema
from vidal.config import Recipe
from vidal.crawl.fetch import Crawler
from vidal.schema import Subject
from vidal.stage import Stage


def _settings(recipe: Recipe) -> Any:
    """How politely it is fetched does not alter what arrives."""
    polite = {
        "requests_per_s",
        "burst",
        "concurrency",
        "attempts",
        "backoff_s",
        "backoff_max_s",
        "breaker_failures",
        "breaker_pause_s",
        "allow_hosts",
    }
    return [recipe.text.model_dump(mode="json"), recipe.crawl.model_dump(mode="json", exclude=polite)]


STAGE = Stage(
    name="crawl",
    subject=Subject.CANDIDATE,
    reads=("discover",),
    schema=schema.CRAWL,
    open=Crawler,
    settings=_settings,
    module=__name__,
    code=("vidal.crawl.fetch", "vidal.sources.ytdlp", "vidal.sources.text", "vidal.media.probe", "vidal.media.ffmpeg"),
    terminal=True,
    concurrency=lambda recipe: recipe.crawl.concurrency,
)
