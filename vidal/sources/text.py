"""Titles and hashtags: parsing, the paper's rule, and text cleaned on word bounds with Unicode kept. Raw text is never altered."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vidal.pipeline.stage import Drop
from vidal.schema import Reason
from vidal.sources.settings import Text

# A hashtag: # and word characters of any script, not all digits ("#1" is a rank).
_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d]\w*)")
_WORD = re.compile(r"\w+(?:['’]\w+)*")


def hashtags(*texts: str | None) -> list[str]:
    """Hashtags without '#', lower case, in order, each once. yt-dlp does not parse them."""
    found = (tag.lower() for text in texts if text for tag in _HASHTAG.findall(text))
    return list(dict.fromkeys(found))


def words(title: str) -> list[str]:
    """Words of a title that are not hashtags."""
    return _WORD.findall(_HASHTAG.sub(" ", title))


def meaningful(tags: Iterable[str], rules: Text) -> list[str]:
    """Hashtags that say something: neither junk ("shorts", "fyp") nor stop words."""
    empty = {word.lower() for word in (*rules.junk_tags, *rules.stop_words)}
    return [tag for tag in tags if tag not in empty]


def cleaned(title: str, tags: Iterable[str], rules: Text) -> str:
    """What is compared with the pictures: the title's words without junk, then the meaningful hashtags."""
    junk = {word.lower() for word in rules.junk_tags}
    kept = [word for word in words(title) if word.lower() not in junk]
    return " ".join([*kept, *(tag for tag in meaningful(tags, rules) if tag not in {w.lower() for w in kept})])


def rule(title: str, tags: list[str], rules: Text) -> Drop | None:
    """The paper (§A): titles of fewer than 2 words "and" without hashtags go; both readings are offered.

    `or` drops what is short or untagged; `and` what is both. An empty title always goes.
    """
    if not title.strip():
        return Drop(Reason.NO_TITLE)
    if rules.rule == "off":
        return None
    short = len(words(title)) < rules.title_words_min
    tagged = bool(meaningful(tags, rules))
    if rules.rule == "and":
        return Drop(Reason.SHORT_TITLE, "short and untagged") if short and not tagged else None
    if short:
        return Drop(Reason.SHORT_TITLE, f"{len(words(title))} words, at least {rules.title_words_min} are wanted")
    if not tags:
        return Drop(Reason.NO_HASHTAGS)
    return None if tagged else Drop(Reason.STOP_HASHTAGS, " ".join(tags))
