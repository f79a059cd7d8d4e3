"""The search-term database: read, tag, tally, balance, assign to shards."""

from __future__ import annotations

from collections import Counter, defaultdict

import pyarrow as pa

from vidal import ids, schema
from vidal.config import Recipe
from vidal.errors import UserError
from vidal.terms import labels
from vidal.terms.tagging import nouns_and_verbs


def build(recipe: Recipe) -> pa.Table:
    """The database as schema.TERMS, ordered by term. The same lists and recipe give the same table.

    Balancing caps how many terms a keyword may bring, as MetaCLIP caps its texts (Xu et al. 2024): terms come in
    hash order, and one is taken while any of its keywords is below the cap.
    """
    sources: dict[str, list[str]] = defaultdict(list)
    counts: Counter[str] = Counter()
    for listed in recipe.terms.lists:
        for term in labels.read(listed):
            counts[term] += 1
            if listed.source not in sources[term]:
                sources[term].append(listed.source)
    if not sources:
        raise UserError(f"recipe {recipe.name}: terms.lists names no list with terms in it")
    terms = sorted(sources)
    tagged = dict(zip(terms, nouns_and_verbs(terms, recipe.terms.tagger), strict=True))
    chosen = _balance({term: [lemma for lemma, _ in found] or [term] for term, found in tagged.items()}, recipe)
    rows = [
        {
            "term_id": ids.term_id(term),
            "term": term,
            "sources": sources[term],
            "keywords": [lemma for lemma, _ in tagged[term]],
            "pos": [pos for _, pos in tagged[term]],
            "frequency": counts[term],
            "shard": ids.bucket(term, recipe.shards),
        }
        for term in sorted(chosen)
    ]
    return schema.table(rows, schema.TERMS)


def _balance(keywords: dict[str, list[str]], recipe: Recipe) -> list[str]:
    used: Counter[str] = Counter()
    chosen: list[str] = []
    for term in sorted(keywords, key=ids.term_id):
        if len(chosen) == recipe.terms.count:
            break
        if any(used[keyword] < recipe.terms.per_keyword for keyword in keywords[term]):
            used.update(keywords[term])
            chosen.append(term)
    return chosen
