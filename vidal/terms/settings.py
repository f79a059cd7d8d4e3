"""Settings of the search-term database: the corpora that it is built from, and how it is balanced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Corpus(Settings):
    """A corpus is a file of labels or captions."""

    source: str
    """Your name for the corpus."""
    path: str
    """A file or URI. A bare file name that the current folder lacks is looked up in `search_terms/`."""
    reader: str = "text"
    """How the file is read. docs/search_terms.md lists the readers."""
    column: str | None = None
    """Column with the texts, for the readers `csv`, `tsv`, `jsonl` and `parquet`."""
    subset: str | None = None
    """For the reader `imagenet`, a file with the ids of the ImageNet classes to keep, such as n01440764, one per line. `null` keeps
    all."""
    synonyms: Literal["each", "joined"] = "each"
    """The file for the reader `imagenet` has a list of synonyms for each class. `each` makes each synonym a term. `joined` makes the
    whole list one term, as in LanguageBind's paper."""


class Terms(Settings):
    """The search terms of a recipe. They are selected from corpora, which are files of labels or captions. A keyword is a noun or
    verb of a term."""

    corpora: tuple[Corpus, ...] = ()
    """The corpora."""
    database: str | None = None
    """A folder or URI with a `terms.parquet` that `vidal search-terms build` wrote. `null` builds the terms from the corpora, inside
    the dataset."""
    budget: str | None = None
    """A `budget.parquet` that `vidal search-terms feedback` wrote, with the number of results per term. `null` asks for
    the same number of results for every term."""
    tagger: str = "en_core_web_sm"
    """The spaCy pipeline that finds the nouns and verbs."""
    count: int = Field(default=100_000, ge=1)
    """Largest number of terms in the database."""
    strategy: Literal["metaclip", "inverse_frequency", "round_robin"] = "metaclip"
    """How terms are selected so that frequent keywords do not crowd out rare ones. docs/search_terms.md explains the values."""
    cap: float | None = Field(default=None, gt=0)
    """For the strategy `metaclip`, the largest number of terms with the same keyword (MetaCLIP's t). `null` computes the cap that
    selects `count` terms."""
    seed: int = 0
    """Seed of the selection."""
    frequency_min: int = Field(default=1, ge=1)
    """A text must occur at least this often in the corpora to become a term."""
    words_max: int = Field(default=40, ge=1)
    """Texts with more words do not become terms."""
    phrase_min: int = Field(default=3, ge=1)
    """Two or three nouns in a row, such as 'fire hydrant', count as one keyword if at least this many terms contain them."""
    buckets: int = Field(default=64, ge=1)
    """Number of temporary files for building the terms. More files need less memory."""
