"""Settings of the search-term database: the corpora that it is built from, and how it is balanced."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vidal.config.base import Settings


class Corpus(Settings):
    """A corpus: a file of labels or captions."""

    source: str
    """A name of your choice for the corpus, which is stored with each of its terms."""
    path: str
    """A file or URI. A bare file name that does not exist in the current folder is looked up in search_terms/."""
    reader: str = "text"
    """How the file is read. docs/search_terms.md lists the readers."""
    column: str | None = None
    """For the readers csv, tsv, jsonl and parquet: the column with the texts."""
    subset: str | None = None
    """For the reader imagenet: a file with the ids of the synsets to keep, such as n01440764, one per line. null keeps all."""
    synonyms: Literal["each", "joined"] = "each"
    """For the reader imagenet: `each` makes each synonym of a synset a term; `joined` makes the whole list of synonyms one term, as
    in the paper."""


class Terms(Settings):
    """The search terms of a recipe. They are selected from the texts of corpora so that all keywords (nouns and verbs) are covered."""

    corpora: tuple[Corpus, ...] = ()
    """The corpora that the terms are taken from: label lists and captions."""
    database: str | None = None
    """A folder or URI with a terms.parquet that `vidal search-terms build` wrote. null builds the terms from the corpora, inside the
    dataset."""
    budget: str | None = None
    """A budget.parquet that `vidal search-terms feedback` wrote: how many results each term may ask for. null lets every term ask for
    the same number."""
    tagger: str = "en_core_web_sm"
    """The spaCy pipeline that tags the parts of speech of the texts."""
    count: int = Field(default=100_000, ge=1)
    """The largest number of terms in the database."""
    strategy: Literal["metaclip", "inverse_frequency", "round_robin"] = "metaclip"
    """How terms are selected so that frequent keywords do not crowd out rare ones. docs/search_terms.md explains the three strategies."""
    cap: float | None = Field(default=None, gt=0)
    """For the strategy metaclip: the largest number of terms with the same keyword (MetaCLIP's t). null computes the
    cap that selects `count` terms."""
    seed: int = 0
    """Seed of the selection. The same seed selects the same terms."""
    frequency_min: int = Field(default=1, ge=1)
    """A text must occur at least this often in the corpora to become a term."""
    words_max: int = Field(default=40, ge=1)
    """Texts with more words than this are left out."""
    phrase_min: int = Field(default=3, ge=1)
    """Two or three nouns in a row, such as 'fire hydrant', count as one keyword if at least this many terms contain them."""
    buckets: int = Field(default=64, ge=1)
    """Number of temporary files that the texts are divided over while the database is built. More files need less memory."""
