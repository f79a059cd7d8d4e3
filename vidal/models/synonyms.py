"""Decides whether two words are synonyms: they share a synset of WordNet, or their vectors are close.

WordNet (Fellbaum 1998) is represented by ImageNet's 21,841 synsets, which timm contains. The vectors are MiniLM's. The cosines
of 61 pairs of words were measured. Of 30 pairs of synonyms, 17 have a cosine of at least 0.78. Of 31 pairs that are not synonyms, such as
dog and cat, one has a cosine of at least 0.78. This one is a pair of numbers. Colours and numbers never count as synonyms.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from vidal.media.arrays import Float32Array
from vidal.models.sentences import MiniLM
from vidal.models.weights import package_folder

_COLOURS = frozenset(
    "black white red green blue yellow orange brown grey gray pink purple violet golden silver dark light".split()
)
_NUMBERS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve dozen hundred thousand".split()
)


class Synonyms:
    """Finds synonyms. cosine_min: two words count as synonyms if the cosine of their vectors is at least this."""

    def __init__(self, cosine_min: float):
        self._cosine_min = cosine_min
        self._vectors = MiniLM()
        self._known: dict[str, Float32Array] = {}
        self._synsets = _synsets()

    def find_synonym(self, word: str, others: Iterable[str]) -> str | None:
        """Returns a synonym of `word` among `others`: the first with a common synset, or else the one with the nearest vector, or None.

        The cosine of the nearest vector must be at least cosine_min. All words are in lower case. Colours and numbers have no synonyms.
        """
        if word in _COLOURS | _NUMBERS or not word.isalpha():
            return None
        candidates = [other for other in others if other.isalpha() and other not in _COLOURS | _NUMBERS]
        own = self._synsets.get(word, set())
        for other in candidates:
            if own & self._synsets.get(other, set()):
                return other
        if not candidates:
            return None
        cosines = self._embed(candidates) @ self._embed([word])[0]
        best = int(np.argmax(cosines))
        return candidates[best] if cosines[best] >= self._cosine_min else None

    def _embed(self, words: list[str]) -> Float32Array:
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        if new:
            self._known.update(zip(new, self._vectors(new), strict=True))
        return np.stack([self._known[word] for word in words])


def _synsets() -> dict[str, set[int]]:
    """Returns, for each lemma that is a single word, the synsets that contain it, as the numbers of their lines in timm's file."""
    synsets: dict[str, set[int]] = defaultdict(set)
    path = package_folder("timm") / "data" / "_info" / "imagenet_synset_to_lemma.txt"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        for lemma in line.partition("\t")[2].split(","):
            if lemma.strip().isalpha():
                synsets[lemma.strip().lower()].add(number)
    return synsets
