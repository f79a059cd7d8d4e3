"""Decides which candidates a recipe accepts, from the information that their source gives. Nothing is fetched for this."""

from __future__ import annotations

from vidal.config.recipe import Recipe
from vidal.net.settings import Crawl
from vidal.pipeline.stage import Drop
from vidal.records import Candidate
from vidal.schema import Kind, Reason, map_dict
from vidal.sources.licences import judge_licence
from vidal.sources.settings import Search, Text
from vidal.sources.text import meaningful_tags, split_words


def judge_result(candidate: Candidate, search: Search, recipe: Recipe) -> Drop | None:
    """Judges a search result by its stated duration, uploader and licence, and by numbers such as its comments or downloads.

    A search of the recipe may demand a minimum of such a number. A result that does not state the number passes. Returns None if the
    result is accepted.
    """
    extra = map_dict(candidate.get("extra"))
    for minimum in search.minimums():
        key, least = minimum.stated, minimum.least
        if least is not None and key in extra and float(extra[key]) < least:
            return Drop(minimum.reason, f"the source states {key} {extra[key]}, less than the minimum of {least}")
    return judge_duration(candidate, recipe) or judge_owner(candidate, recipe.crawl)


def judge_candidate(candidate: Candidate, recipe: Recipe) -> Drop | None:
    """Returns why the recipe does not accept a candidate; None if it does.

    The stated duration, the uploader and the licence are judged. The title and the hashtags are judged too, unless the candidate comes
    from a list of the user's.
    """
    if not candidate["curated"]:
        drop = judge_text(candidate["title"] or "", candidate["hashtags"] or [], recipe.text)
        if drop:
            return drop
    return judge_duration(candidate, recipe) or judge_owner(candidate, recipe.crawl)


def judge_text(title: str, tags: list[str], rules: Text) -> Drop | None:
    """Judges a title and its hashtags by rules.rule. An empty title is dropped under every rule.

    The rule `or` drops a title that is too short or has no meaningful hashtag. `and` drops a title only if both are true. `off` drops
    only empty titles. LanguageBind's paper (section A) drops titles of fewer than 2 words "and" without hashtags. It does not say which
    of the rules `or` and `and` it means.
    """
    if not title.strip():
        return Drop(Reason.NO_TITLE)
    if rules.rule == "off":
        return None
    count = len(split_words(title))
    is_short, is_tagged = count < rules.title_words_min, bool(meaningful_tags(tags, rules))
    if rules.rule == "and":
        return Drop(Reason.SHORT_TITLE, "short and untagged") if is_short and not is_tagged else None
    if is_short:
        return Drop(
            Reason.SHORT_TITLE,
            f"number of words in the title: {count}; text.title_words_min demands at least {rules.title_words_min}",
        )
    if not tags:
        return Drop(Reason.NO_HASHTAGS)
    return None if is_tagged else Drop(Reason.STOP_HASHTAGS, " ".join(tags))


def judge_duration(candidate: Candidate, recipe: Recipe) -> Drop | None:
    """Drops a candidate whose page states too long a duration, unless the user's list asks for only a span of the video."""
    stated_s, max_s = candidate.get("duration_s"), recipe.duration_max_s(is_sound=candidate.get("kind") == Kind.AUDIO)
    if stated_s and stated_s > max_s and candidate.get("end_s") is None:
        return Drop(
            Reason.TOO_LONG,
            f"the page states a duration of {stated_s:g} s, more than the {max_s:g} s that the recipe allows",
        )
    return None


def judge_owner(candidate: Candidate, crawl: Crawl) -> Drop | None:
    """Drops a candidate whose uploader is blocked, or whose licence the recipe does not allow."""
    uploader = candidate.get("uploader")
    if uploader and uploader.lower() in {name.lower() for name in crawl.block_uploaders}:
        return Drop(Reason.BLOCKED_UPLOADER, uploader)
    return judge_licence(candidate.get("licence"), crawl)
