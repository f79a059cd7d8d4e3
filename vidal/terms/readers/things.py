"""Readers of names of things and topics. Every reader also accepts a plain list with one name per line, such as in search_terms/."""

from __future__ import annotations

from collections.abc import Iterator

from vidal.terms.readers.files import extension
from vidal.terms.readers.formats import fields, plain, strings
from vidal.terms.settings import Corpus


def youtube8m(corpus: Corpus) -> Iterator[str]:
    """Reads `Name` of vocabulary.csv, `label_name` of label_names_2018.csv, or a label map. Abu-El-Haija et al. 2016.

    The qualifiers of entities are kept: "Ring" without "(jewellery)" would be another search. In label maps, "???" stands for
    an entity without a name.
    """
    names = fields(corpus, "Name", "label_name") if extension(corpus) == ".csv" else plain(corpus)
    yield from (name for name in names if name != "???")


def coco_instances(corpus: Corpus) -> Iterator[str]:
    """Reads categories[].name of instances_train2017.json. Lin et al. 2014."""
    yield from strings(corpus, "categories.item.name") if extension(corpus) == ".json" else plain(corpus)
