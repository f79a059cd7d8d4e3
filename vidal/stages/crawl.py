"""The stage `crawl`: fetches a candidate and stores its clips, or records the reason why it has none."""

from __future__ import annotations

from typing import Any

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.crawl.crawler import Crawler
from vidal.pipeline.stage import Stage
from vidal.schema import Subject

# These settings say how politely and patiently a file is fetched. They do not change the file.
_WITHOUT_EFFECT = {
    "requests_per_s", "burst", "host_concurrency", "daily_requests", "hosts", "concurrency", "parts_at_once", "attempts", "backoff_s",
    "backoff_max_s", "patience_s", "breaker_failures", "breaker_pause_s", "block_pause_s", "allow_hosts", "cookies_file", "netrc_file",
    "proxies", "identities", "share_identities", "extractor_args", "sleep_s", "sleep_requests_s",
}  # fmt: skip


def _settings(recipe: Recipe) -> Any:
    crawl = recipe.crawl.model_dump(mode="json", exclude=_WITHOUT_EFFECT)
    if not crawl["subtitles"]:
        # Earlier versions did not have this key. Without it, what they have fetched stays valid.
        del crawl["subtitles"]
    return [recipe.text.model_dump(mode="json"), recipe.clips.model_dump(mode="json"), crawl]


STAGE = Stage(
    name="crawl",
    version=1,
    subject=Subject.CANDIDATE,
    reads=("discover",),
    schema=schema.CRAWL,
    open=Crawler,
    settings=_settings,
    terminal=True,
    concurrency=lambda recipe: recipe.crawl.concurrency,
    parts_at_once=lambda recipe: recipe.crawl.parts_at_once,
)
