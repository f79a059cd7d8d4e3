"""Nouns and verbs of the tagger against what people wrote: `python -m benchmarks.tagging_accuracy [--gold FILE]`.

WordNet's nouns (the synonyms of ImageNet's 21,841 synsets, all of them nouns to its lexicographers): the keyword must be a noun
and end in the name's last word. Verbs: classes of Moments in Time (339 verbs, chosen from VerbNet) and the first words of
Something-Something's templates. --gold: running text, a CoNLL-U treebank or lines of FORM, LEMMA, UPOS with empty lines between
sentences; it is lower-cased, as search terms are.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from spacy.tokens import Doc

from tests.conftest import SHARED
from vidal.terms.labels import normalise
from vidal.terms.tagging import NOUN, RUN, VERB, Keyword, Tagger, keywords, load

MODEL = "en_core_web_sm"
Token = tuple[str, str, str]  # form, lemma, UPOS


@dataclass(frozen=True)
class Score:
    """right: of total gold words; other: gold words taken for the other class."""

    name: str
    right: int
    other: int
    total: int

    def __str__(self) -> str:
        return f"| {self.name} | {self.total:,} | {self.right / self.total:.1%} | {self.other / self.total:.1%} |"


def _tagged(texts: Iterable[str]) -> Iterator[tuple[list[tuple[str, str, str]], list[Keyword]]]:
    for words in Tagger(MODEL).words(texts):
        yield words, keywords(words)


def wordnet_nouns(folder: Path, every: int = 1) -> Score:
    lines = (folder / "imagenet_synset_to_lemma.txt").read_text().splitlines()
    names = sorted({normalise(name) for line in lines for name in line.split("\t")[1].split(",")})[::every]
    right = other = 0
    for words, found in _tagged(names):
        heads = {name.split("\t")[0].split()[-1] for name, pos in found if pos in (NOUN, RUN)}
        right += bool(heads & {words[-1][0], words[-1][1]})
        other += words[-1][2] == VERB
    return Score("WordNet's nouns, alone", right, other, len(names))


def moments_verbs(folder: Path) -> Score:
    return _first_words("Moments' verbs, alone", folder / "moments_in_time.txt")


def templates(folder: Path) -> Score:
    return _first_words("Something-Something's verbs, in templates", folder / "sthv2.txt")


def _first_words(name: str, path: Path) -> Score:
    texts = [normalise(line.replace("+", " ")) for line in path.read_text().splitlines() if line.strip()]
    tags = [words[0][2] for words, _ in _tagged(texts)]
    return Score(name, tags.count(VERB), sum(tag in (NOUN, "PROPN") for tag in tags), len(tags))


def running_text(path: Path) -> list[str]:
    """Precision, recall and F1 of nouns and of verbs, by word, with the gold words as the tagger's words."""
    nlp, counts = load(MODEL), {"noun": [0, 0, 0], "verb": [0, 0, 0]}
    lemmas = [0, 0]
    for sentence in _sentences(path):
        doc = nlp(Doc(nlp.vocab, words=[form.lower() for form, _, _ in sentence]))
        for token, (_, lemma, gold) in zip(doc, sentence, strict=True):
            for name, tags in (("noun", {"NOUN", "PROPN"}), ("verb", {"VERB"})):
                found, true = token.pos_ in tags, gold in tags
                counts[name][0] += found and true
                counts[name][1] += found
                counts[name][2] += true
                if found and true:
                    lemmas[0] += token.lemma_.lower() == lemma.lower()
                    lemmas[1] += 1
    rows = []
    for name, (both, found, true) in counts.items():
        precision, recall = both / max(1, found), both / max(1, true)
        f1 = 2 * precision * recall / max(1e-9, precision + recall)
        rows.append(f"| {name}s in running text | {true:,} | P {precision:.1%}, R {recall:.1%} | F1 {f1:.1%} |")
    return [*rows, f"| their lemmas | {lemmas[1]:,} | {lemmas[0] / max(1, lemmas[1]):.1%} | |"]


def _sentences(path: Path) -> Iterator[list[Token]]:
    sentence: list[Token] = []
    for line in [*path.read_text(encoding="utf-8").splitlines(), ""]:
        fields = line.split("\t")
        if not line.strip() and sentence:
            yield sentence
            sentence = []
        elif len(fields) == 3:
            sentence.append((fields[0], fields[1], fields[2]))
        elif len(fields) == 10 and fields[0].isdecimal():
            sentence.append((fields[1], fields[2], fields[3]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gold", type=Path)
    gold = parser.parse_args().gold
    print("| gold | words | right | taken for the other |\n|---|---|---|---|")
    for score in (wordnet_nouns, moments_verbs, templates):
        print(score(SHARED / "labels"), flush=True)
    for row in running_text(gold) if gold else []:
        print(row)


if __name__ == "__main__":
    main()
