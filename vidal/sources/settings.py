"""Settings of searches, settings of collections, and the section `text` of a recipe. A collection is media that the user has already.

All searches share the settings of `Search`. All collections share the settings of `CollectionSettings`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, field_validator

from vidal.config.base import Settings
from vidal.sources.registry import SOURCES

if TYPE_CHECKING:  # Reading a recipe's settings must not load pyarrow.
    from vidal.schema import Reason


@dataclass(frozen=True)
class Minimum:
    """A rule that drops a search result because a number in its `extra` is too small.

    stated: the key of the number in `extra`. least: the smallest number that passes; None drops nothing. reason: for the ledger.
    """

    stated: str
    least: float | None
    reason: Reason


class Search(Settings):
    """One search of a recipe: its source, the text to search for, and the number of results per term. Each source adds its own keys."""

    source: str = "ytdlp"
    """Name of the source."""
    per_term: int = Field(default=5, ge=1)
    """Largest number of results for each search term."""
    query: str = "{term}"
    """Text that is searched for. `{term}` stands for the search term."""

    @field_validator("source")
    @classmethod
    def _check_source(cls, value: str) -> str:
        if value not in SOURCES:
            raise ValueError(f"unknown source {value!r}: choose from {', '.join(sorted(SOURCES))}")
        return value

    @property
    def name(self) -> str:
        """The name of the search in the ledger and in the ids of failed searches."""
        return self.source

    @property
    def finds_sounds(self) -> bool:
        """Whether all results of the search are sounds."""
        return False

    @property
    def is_on_embedded_site(self) -> bool:
        """Whether the embedded site must be served while this search and its downloads run."""
        return False

    def minimums(self) -> tuple[Minimum, ...]:
        """Returns the minimums of this search, such as the smallest number of comments that a result may have.

        If a result states a smaller number, it is dropped. If a result does not state the number, it passes.
        """
        return ()


class CollectionSettings(Settings):
    """The settings of a collection: media that the user has already. `--from` sets `uri`, and chooses the `source` that can read it."""

    has_originals: ClassVar[bool] = False
    """Whether each of its media is a file of its own, which rows may point to."""
    source: str
    """The name of the kind of collection."""
    uri: str
    """A folder, a file, a glob or a URI."""

    @field_validator("uri")
    @classmethod
    def _make_absolute(cls, value: str) -> str:
        """Makes a local path absolute, because a worker may have another current folder."""
        value = value.removeprefix("file://")
        return value if "://" in value else os.path.abspath(value)


class Text(Settings):
    """The rule on titles and hashtags, and the longest duration of a video or sound. The rule applies only to search results. The longest
    duration applies to your own list and media too."""

    rule: Literal["or", "and", "off"] = "or"
    """`or` drops a search result if its title is short, or if it has no hashtag that counts. `and` drops it only if both are true.
    `off` drops it in neither case. A search result without any title is always dropped."""
    title_words_min: int = Field(default=2, ge=0)
    """A title with fewer words is short. Hashtags are not words."""
    stop_words: tuple[str, ...] = ()
    """Hashtags that do not count, because they say nothing about the content, such as 'viral'. They are not compared with the frames."""
    junk_tags: tuple[str, ...] = ()
    """Hashtags of the platform itself, such as 'shorts'. They are treated like those of `stop_words`. In titles, the same words
    are not compared with the frames either."""
    duration_max_s: float = Field(default=20.0, gt=0)
    """Longer videos and sounds are dropped. If `clips.detector` is set, `clips.source_max_s` replaces this limit for videos."""
