"""Settings of the search-term database: the corpora that it is built from, and how it is balanced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Corpus(Settings):
    """A corpus: labels or captions in a file or URI."""

    source: str
    """Name of the corpus, which is stored with every term."""
    path: str
    """A file or URI; a bare file name is looked up in search_terms/."""
    reader: str = "text"
    """A key of vidal.terms.readers.READERS."""
    column: str | None = None
    """The text column of a csv, tsv, jsonl or Parquet file of your own."""
    subset: str | None = None
    """For imagenet: a list of the synset ids to keep."""
    synonyms: Literal["each", "joined"] = "each"
    """For imagenet: whether each synonym is a term, or the whole list of a synset is one term, as in the paper."""


class Terms(Settings):
    """The search-term database: terms of corpora, tagged and balanced over their keywords."""

    corpora: tuple[Corpus, ...] = ()
    """The corpora that terms come from."""
    database: str | None = None
    """A folder with a terms.parquet that was built before; null builds a database inside the dataset."""
    budget: str | None = None
    """A budget.parquet that `vidal search-terms feedback` wrote; null asks for the same number of results for each term."""
    tagger: str = "en_core_web_sm"
    """The spaCy pipeline that tags parts of speech."""
    count: int = Field(default=100_000, ge=1)
    """The largest number of terms."""
    strategy: Literal["metaclip", "inverse_frequency", "round_robin"] = "metaclip"
    """How terms are balanced over their keywords."""
    cap: float | None = Field(default=None, gt=0)
    """The largest number of terms per keyword (MetaCLIP's t); null uses the cap that yields `count`."""
    seed: int = 0
    """Seed of the selection."""
    frequency_min: int = Field(default=1, ge=1)
    """How often a text must occur in the corpora to be a term."""
    words_max: int = Field(default=40, ge=1)
    """Texts with more words than this are left out."""
    phrase_min: int = Field(default=3, ge=1)
    """How many terms must contain a run of nouns for it to become one keyword."""
    buckets: int = Field(default=64, ge=1)
    """Number of temporary files that the texts are divided over while the database is built; more files need less memory each."""
