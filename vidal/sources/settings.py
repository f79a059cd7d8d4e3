"""The settings that all searches have in common, those that all collections have in common, and the rules on titles and hashtags."""

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
    """The name of the source."""
    per_term: int = Field(default=5, ge=1)
    """The largest number of results for each term."""
    query: str = "{term}"
    """The text that is searched for. {term} stands for the search term."""

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
    def is_on_embedded_site(self) -> bool:
        """Whether the embedded site must be served while this search and its downloads run."""
        return False

    def minimums(self) -> tuple[Minimum, ...]:
        """Returns the minimums of this search. A result that does not state a value passes the minimum for this value."""
        return ()


class CollectionSettings(Settings):
    """The settings of a collection: media that the user has already. `--from` sets `uri`, and chooses the `source` that can read it."""

    has_originals: ClassVar[bool] = False
    """Whether each of its media is a file of its own, which rows may point to."""
    source: str
    """The name of the kind of collection."""
    uri: str
    """Where the media are: a folder, a file, a glob or a URI."""

    @field_validator("uri")
    @classmethod
    def _make_absolute(cls, value: str) -> str:
        """Makes a local path absolute, because a worker may have another current folder."""
        value = value.removeprefix("file://")
        return value if "://" in value else os.path.abspath(value)


class Text(Settings):
    """Which titles and hashtags are accepted, after LanguageBind's paper, and the longest duration.

    The rule on titles and hashtags does not apply to your own list. The longest duration does.
    """

    rule: Literal["or", "and", "off"] = "or"
    """Which videos are dropped. `or`: those with a short title, and those without a hashtag that counts. `and`: those with a short
    title and without a hashtag that counts. `off`: neither. A video without any title is always dropped."""
    title_words_min: int = Field(default=2, ge=0)
    """A title with fewer words is short. Hashtags are not counted as words."""
    stop_words: tuple[str, ...] = ()
    """Hashtags that do not count, because they say nothing about the content, such as 'viral'. They are not compared with the frames."""
    junk_tags: tuple[str, ...] = ()
    """Hashtags of the platform itself, such as 'shorts'. They do not count, and they are removed from the title too before it is
    compared with the frames."""
    duration_max_s: float = Field(default=20.0, gt=0)
    """The longest video or sound, in seconds; longer ones are dropped. Not used if clips.detector is set: clips.source_max_s takes
    its place."""
