"""Readers of names of things and topics. Each also accepts a plain list with one name per line, such as the lists in search_terms/."""

from __future__ import annotations

from collections.abc import Iterator

from vidal.terms.readers.files import extension
from vidal.terms.readers.formats import fields, plain, strings
from vidal.terms.settings import Corpus


def youtube8m(corpus: Corpus) -> Iterator[str]:
    """Reads the column Name of vocabulary.csv, the column label_name of label_names_2018.csv, or a list with one name per line.

    Qualifiers in parentheses are kept, because a search for "Ring" finds other videos than a search for "Ring (jewellery)". The name
    "???", which stands for an entity without a name, is left out. Abu-El-Haija et al. 2016.
    """
    names = fields(corpus, "Name", "label_name") if extension(corpus) == ".csv" else plain(corpus)
    yield from (name for name in names if name != "???")


def coco_instances(corpus: Corpus) -> Iterator[str]:
    """Reads the names of the categories in instances_train2017.json (Lin et al. 2014)."""
    yield from strings(corpus, "categories.item.name") if extension(corpus) == ".json" else plain(corpus)
