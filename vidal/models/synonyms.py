"""Whether two words name the same: WordNet's lemmas of one noun, or vectors that lie close.

WordNet (Fellbaum 1998) by ImageNet's 21,841 synsets, as timm carries them. Vectors of MiniLM: of 30 pairs of synonyms 17 reach 0.78;
of 31 pairs of other words (dog and cat, car and truck, red and blue) one does, and it is numbers. Colours and numbers are never alike.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import numpy as np

from vidal.models.sentences import MiniLM
from vidal.models.weights import package_folder

_COLOURS = frozenset(
    "black white red green blue yellow orange brown grey gray pink purple violet golden silver dark light".split()
)
_NUMBERS = frozenset(
    "zero one two three four five six seven eight nine ten eleven twelve dozen hundred thousand".split()
)


class Synonyms:
    """cosine_min: of the vectors of two words that are alike."""

    def __init__(self, cosine_min: float):
        self._cosine_min = cosine_min
        self._vectors = MiniLM()
        self._known: dict[str, np.ndarray] = {}
        self._synsets = _synsets()

    def find_synonym(self, word: str, others: Iterable[str]) -> str | None:
        """The word of the others that it means, or None. All in lower case."""
        if word in _COLOURS | _NUMBERS or not word.isalpha():
            return None
        candidates = [other for other in others if other.isalpha() and other not in _COLOURS | _NUMBERS]
        own = self._synsets.get(word, set())
        for other in candidates:
            if own & self._synsets.get(other, set()):
                return other
        if not candidates:
            return None
        cosines = self._of(candidates) @ self._of([word])[0]
        best = int(np.argmax(cosines))
        return candidates[best] if cosines[best] >= self._cosine_min else None

    def _of(self, words: list[str]) -> np.ndarray:
        new = [word for word in dict.fromkeys(words) if word not in self._known]
        if new:
            self._known.update(zip(new, self._vectors(new), strict=True))
        return np.stack([self._known[word] for word in words])


def _synsets() -> dict[str, set[int]]:
    """Numbers of the synsets of each single-word lemma."""
    found: dict[str, set[int]] = defaultdict(set)
    path = package_folder("timm") / "data" / "_info" / "imagenet_synset_to_lemma.txt"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
        for lemma in line.partition("\t")[2].split(","):
            if lemma.strip().isalpha():
                found[lemma.strip().lower()].add(number)
    return found
