"""A corpus as tests read it."""

from pathlib import Path

from vidal.terms.corpora import texts
from vidal.terms.settings import Corpus


def read(path: Path | str, reader: str, **settings) -> list[str]:
    return list(texts(Corpus(source="mine", path=str(path), reader=reader, **settings)))
