"""The texts that a user's list gives for a candidate.

The first text becomes the candidate's title, and the others are kept in the column `extra`. In the dataset, all of them are captions of
the view `title`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from vidal.extra import IMPORTED
from vidal.records import Candidate
from vidal.schema import View, map_dict

# The most texts of a candidate. An address that very many rows share is often a placeholder, which their texts do not describe.
TEXTS_MAX = 100


def imported_views(extra: Mapping[str, str]) -> dict[str, list[str]]:
    """Returns the texts that came with the user's list, {view: [text, ...]}. extra: the column `extra` of a candidate."""
    views: dict[str, list[str]] = json.loads(extra.get(IMPORTED) or "{}")
    return views


def titles_of(candidate: Candidate) -> list[str]:
    """Returns all titles of a candidate, beginning with its column `title`."""
    views = imported_views(map_dict(candidate["extra"]))
    return [text for text in (candidate["title"] or "", *views.get(View.TITLE.value, [])) if text]


def add_texts(candidate: Candidate, texts: Iterable[str], hashtags: Iterable[str] = ()) -> Candidate:
    """Returns the candidate with these texts and hashtags added after its own. Duplicates are removed.

    If there are more than TEXTS_MAX texts, only the first TEXTS_MAX are kept.
    """
    titles = list(dict.fromkeys((*titles_of(candidate), *texts)))[:TEXTS_MAX]
    extra = map_dict(candidate["extra"])
    if len(titles) > 1:
        views = {**imported_views(extra), View.TITLE.value: titles[1:]}
        extra = {**extra, IMPORTED: json.dumps(views, ensure_ascii=False, sort_keys=True)}
    tags = list(dict.fromkeys((*candidate["hashtags"], *hashtags)))
    changed = {"title": titles[0] if titles else "", "hashtags": tags, "extra": extra}
    return cast("Candidate", {**candidate, **changed})
