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
    """A rule that drops a search result if the number under the key `stated` of its `extra` is less than `least`.

    least: None drops nothing. reason: the reason that the ledger gives.
    """

    stated: str
    least: float | None
    reason: Reason


class Search(Settings):
    """One search of a recipe: its source, the text to search for, and the number of results per term. Each source adds its own keys."""

    source: str = "ytdlp"
    """A key of vidal.sources.registry.SOURCES."""
    per_term: int = Field(default=5, ge=1)
    """The largest number of results per term."""
    query: str = "{term}"
    """The text that is searched for; {term} stands for the term."""

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
    """A key of vidal.sources.registry.COLLECTIONS."""
    uri: str
    """A folder, a file, a glob or a URI."""

    @field_validator("uri")
    @classmethod
    def _make_absolute(cls, value: str) -> str:
        """Makes a local path absolute, because a worker may have another current folder."""
        value = value.removeprefix("file://")
        return value if "://" in value else os.path.abspath(value)


class Text(Settings):
    """Which videos are dropped because of their title, hashtags or stated duration. The rule follows LanguageBind's paper."""

    rule: Literal["or", "and", "off"] = "or"
    """`or` drops videos with a short title or without hashtags, `and` drops those with both defects, `off` drops none."""
    title_words_min: int = Field(default=2, ge=0)
    """Fewest words of a title, not counting hashtags."""
    stop_words: tuple[str, ...] = ()
    """Hashtags that say nothing about the content."""
    junk_tags: tuple[str, ...] = ()
    """Hashtags of the platform itself, such as "shorts"."""
    duration_max_s: float = Field(default=20.0, gt=0)
    """Longest video, by the duration that its page states. If clips.detector is set, longer videos are cut instead."""
