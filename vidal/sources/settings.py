"""Where candidates come from, and the rule on their titles and hashtags."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


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
