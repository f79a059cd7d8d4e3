"""What is looked for and fetched: terms, searches, the crawl, the cut into clips."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field, model_validator

from vidal.config.base import Settings


class Corpus(Settings):
    """Labels or captions in a file or URI; a bare file name is looked up in search_terms/. reader: see vidal.terms.readers.

    column: the text column of one's own csv, tsv, jsonl or Parquet. subset: for imagenet, a list of synset ids to keep;
    synonyms: a term a synonym, or a synset's whole list as one term (the paper's way).
    """

    source: str
    path: str
    reader: str = "text"
    column: str | None = None
    subset: str | None = None
    synonyms: Literal["each", "joined"] = "each"


class Terms(Settings):
    """The search-term database: corpora, tagged, at most `count` terms balanced over their keywords.

    database: a folder with a terms.parquet built before; null builds it into the dataset. cap: terms a keyword brings
    about, at most (MetaCLIP's t); null takes what gives `count`. frequency_min: how often a text must stand in the corpora.
    phrase_min: how many terms must hold a run of nouns for it to be one keyword. budget: of `search-terms feedback`.
    """

    corpora: tuple[Corpus, ...] = ()
    database: str | None = None
    budget: str | None = None
    tagger: str = "en_core_web_sm"
    count: int = Field(default=100_000, ge=1)
    strategy: Literal["metaclip", "inverse_frequency", "round_robin"] = "metaclip"
    cap: float | None = Field(default=None, gt=0)
    seed: int = 0
    frequency_min: int = Field(default=1, ge=1)
    words_max: int = Field(default=40, ge=1)
    phrase_min: int = Field(default=3, ge=1)
    buckets: int = Field(default=64, ge=1)


class Search(Settings):
    """Where candidates come from, and how many results a term may give.

    source: ytdlp with one of its search keys, freesound, peertube or archive (Internet Archive). base_url: of another
    instance or server. shorts: YouTube's short videos only. token_file: a file with the API token; else the environment
    variable FREESOUND_TOKEN. The *_min keys drop a result that states less; one that states nothing passes.
    """

    source: Literal["ytdlp", "freesound", "peertube", "archive"] = "ytdlp"
    key: str = "ytsearch"
    per_term: int = Field(default=5, ge=1)
    site: Literal["embedded"] | None = None
    query: str = "{term}"
    shorts: bool = False
    base_url: str | None = None
    token_file: str | None = None
    rating_min: float | None = Field(default=None, ge=0)
    downloads_min: int | None = Field(default=None, ge=0)
    comments_min: int | None = Field(default=None, ge=0)
    tags_min: int | None = Field(default=None, ge=0)

    @property
    def name(self) -> str:
        return self.key if self.source == "ytdlp" else self.source


class Text(Settings):
    """The paper's rule on titles and hashtags. `or` drops a title that is short or has no hashtags, `and` both."""

    rule: Literal["or", "and", "off"] = "or"
    title_words_min: int = Field(default=2, ge=0)
    stop_words: tuple[str, ...] = ()
    junk_tags: tuple[str, ...] = ()
    duration_max_s: float = Field(default=20.0, gt=0)


class HostLimits(Settings):
    """What one host (and its subdomains) is asked at most, by the whole cluster. daily_requests: null is no limit."""

    requests_per_s: float | None = Field(default=None, gt=0)
    burst: int | None = Field(default=None, ge=1)
    host_concurrency: int | None = Field(default=None, ge=1)
    daily_requests: int | None = Field(default=None, ge=1)


class Crawl(Settings):
    """How sources are asked, and what they may cost.

    requests_per_s, burst, host_concurrency, daily_requests hold for every host, over the whole cluster; hosts: others for
    some. concurrency: downloads at a time in one worker. attempts: of a request whose failure is transient; a host that says it
    is asked too much is left alone for as long as it says, patience_s at most in all.
    """

    requests_per_s: float = Field(default=2.0, gt=0)
    burst: int = Field(default=4, ge=1)
    host_concurrency: int = Field(default=4, ge=1)
    daily_requests: int | None = Field(default=None, ge=1)
    hosts: dict[str, HostLimits] = Field(default_factory=dict)
    concurrency: int = Field(default=4, ge=1)
    attempts: int = Field(default=3, ge=1)
    backoff_s: float = Field(default=1.0, ge=0)
    backoff_max_s: float = Field(default=60.0, ge=0)
    patience_s: float = Field(default=900.0, ge=0)
    breaker_failures: int = Field(default=10, ge=1)
    breaker_pause_s: float = Field(default=60.0, ge=0)
    # One download or page, waiting for the host's turn aside.
    timeout_s: float = Field(default=120.0, gt=0)
    stall_s: float = Field(default=20.0, gt=0)
    max_bytes: int = Field(default=200_000_000, ge=1)
    page_max_bytes: int = Field(default=20_000_000, ge=1)
    max_redirects: int = Field(default=10, ge=0)
    max_pixels: int = Field(default=7680 * 4320, ge=1)
    duration_min_s: float = Field(default=0.0, ge=0)
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    format: str = "best[height<=?720]/best"
    user_agent: str | None = None
    cookies_file: str | None = None
    proxies: tuple[str, ...] = ()
    # yt-dlp's own pauses: before a download (from, to), and between the requests of an extractor.
    sleep_s: tuple[float, float] = (0.0, 0.0)
    sleep_requests_s: float = Field(default=0.0, ge=0)
    # Plain web pages and files: robots.txt is obeyed, and a page that opts out of machine learning is left alone.
    robots: bool = True
    opt_out: tuple[str, ...] = ("noai", "noimageai")
    # Names as in SPDX, with * ("CC-BY*"); empty allows all. licence_unknown: whether a clip that names none passes.
    licences: tuple[str, ...] = ()
    licence_unknown: bool = True
    block_uploaders: tuple[str, ...] = ()
    block_domains: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    # A fixed date for sources that do not change, so that builds are reproducible; null is the true time.
    retrieved_at: datetime | None = None


class Clips(Settings):
    """Long videos are cut at shot boundaries into pieces of max_s at most; null drops them as too_long.

    detector: content (hard cuts, cheap) or transnetv2. A piece under min_s is left out. source_max_s: of the whole video. A
    clip that is not cut, or a span of a catalogue, keeps the cuts inside it, counted in scores["cuts"].
    """

    detector: Literal["content", "transnetv2"] | None = None
    threshold: float | None = Field(default=None, gt=0)
    max_s: float = Field(default=20.0, gt=0)
    min_s: float = Field(default=1.0, gt=0)
    source_max_s: float = Field(default=3600.0, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Clips:
        if self.min_s >= self.max_s:
            raise ValueError("min_s must be less than max_s")
        return self
