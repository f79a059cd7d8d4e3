"""One address through the real crawler: yt-dlp, probe, storage."""

from vidal.config.loading import load_recipe
from vidal.crawl.crawler import Crawler
from vidal.ids import candidate_id
from vidal.pipeline.stage import Runtime
from vidal.storage.storage import Storage


def crawl_one(url, overrides=(), allow=("127.0.0.1",), out="memory://crawl", **columns):
    """Crawls a row of a catalogue. Returns an Output or a Drop; raises what the crawler raises."""
    recipe = load_recipe("catalogue", ("crawl.backoff_s=0", "crawl.stall_s=2", *overrides))
    row = {"candidate_id": candidate_id("url", url, None, None), "shard": 0, "source": None, "platform": "url", "source_id": url,
           "url": url, "media_url": None, "kind": None, "search_terms": [], "title": "a title", "hashtags": [], "uploader": None,
           "licence": None, "duration_s": None, "start_s": None, "end_s": None, "curated": True, "extra": None, **columns}  # fmt: skip
    return Crawler(recipe, Runtime(out, "run", allow), Storage(out))(row)
