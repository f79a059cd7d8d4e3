"""Splits titles into words and hashtags, in any writing system, and leaves out those that say nothing. Stored titles keep them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from vidal.sources.settings import Text

# A hashtag is # and word characters of any writing system, but not only digits ("#1" is a rank).
_HASHTAG = re.compile(r"(?<![\w&/])[#＃](\w*[^\W\d]\w*)")
_WORD = re.compile(r"\w+(?:['’]\w+)*")


def parse_hashtags(*texts: object) -> list[str]:
    """Returns the hashtags without '#', in lower case and in order, each once.

    texts: values that a page states; those that are not strings are ignored.
    """
    hashtags = (tag.lower() for text in texts if isinstance(text, str) for tag in _HASHTAG.findall(text))
    return list(dict.fromkeys(hashtags))


def split_words(title: str) -> list[str]:
    """Returns the words of a title that are not hashtags."""
    return _WORD.findall(_HASHTAG.sub(" ", title))


def meaningful_tags(tags: Iterable[str], rules: Text) -> list[str]:
    """Returns the hashtags that are neither junk ("shorts", "fyp") nor stop words."""
    meaningless = {word.lower() for word in (*rules.junk_tags, *rules.stop_words)}
    return [tag for tag in tags if tag not in meaningless]


def clean_text(title: str, tags: Iterable[str], rules: Text) -> str:
    """Returns the text to compare with the frames: first the words of the title, then the meaningful hashtags.

    Junk words of the title are left out. A hashtag is left out if the title has the same word.
    """
    junk = {word.lower() for word in rules.junk_tags}
    words = [word for word in split_words(title) if word.lower() not in junk]
    lower = {word.lower() for word in words}
    return " ".join([*words, *(tag for tag in meaningful_tags(tags, rules) if tag not in lower)])
