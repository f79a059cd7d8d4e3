"""Partitions the normalised texts of all corpora into files (buckets) by a hash, so that later steps need memory for one bucket only."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import PurePosixPath
from typing import Any

from vidal.storage.storage import Storage
from vidal.terms import corpora
from vidal.terms.labels import normalise
from vidal.terms.settings import Corpus, Terms
from vidal.terms.tagging import PHRASE_WORDS_MAX


@dataclass
class PartitionStats:
    """What was read from the corpora. read: the number of texts, by corpus. long: the number of texts with too many words.

    phrases: names of things, each of which is one keyword even if it has several words.
    """

    read: dict[str, int] = field(default_factory=dict)
    long: int = 0
    phrases: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        return sum(self.read.values())


def bucket_file(index: int) -> str:
    return f"_build/raw/bucket-{index:04d}.txt"


def position(term: str) -> int:
    """Returns the place of a term in a random but fixed order: 64 bits of a hash."""
    return int.from_bytes(blake2b(term.encode(), digest_size=8).digest(), "big")


def partition_texts(terms: Terms, storage: Storage) -> PartitionStats:
    """Distributes the normalised texts of all corpora over several files, by a hash of the text. Returns statistics of the texts.

    A line of a file is "corpus number<TAB>normalised text". Texts of more than terms.words_max words are left out. Raises UserError if a
    corpus cannot be read.
    """
    stats = PartitionStats()
    with contextlib.ExitStack() as stack:
        storage.fs.makedirs(str(PurePosixPath(storage.path(bucket_file(0))).parent), exist_ok=True)
        files = [stack.enter_context(storage.fs.open(storage.path(bucket_file(i)), "wb")) for i in range(terms.buckets)]
        writes = [file.write for file in files]
        for number, corpus in enumerate(terms.corpora):
            _partition_corpus(number, corpus, terms, writes, stats)
    return stats


def _partition_corpus(
    number: int, corpus: Corpus, terms: Terms, writes: list[Callable[..., Any]], stats: PartitionStats
) -> None:
    count = 0
    whole = corpora.names_things(corpus)
    for text in corpora.texts(corpus):
        term = normalise(text)
        words = term.count(" ") + 1
        if not term:
            continue
        count += 1
        if words > terms.words_max:
            stats.long += 1
            continue
        if whole and words <= PHRASE_WORDS_MAX:
            stats.phrases.add(term)
        writes[position(term) % terms.buckets](f"{number}\t{term}\n".encode())
    stats.read[corpus.source] = stats.read.get(corpus.source, 0) + count
