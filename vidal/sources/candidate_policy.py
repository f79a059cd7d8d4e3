"""What is taken of what a source offers, by what it says itself: nothing is fetched for it."""

from __future__ import annotations

from vidal.config.recipe import Recipe
from vidal.net.settings import Crawl
from vidal.pipeline.stage import Drop
from vidal.schema import Reason, map_dict
from vidal.sources import licences
from vidal.sources.settings import Search
from vidal.sources.source import Candidate


def judge_result(candidate: Candidate, search: Search, recipe: Recipe) -> Drop | None:
    """Of a search's result: too long, or less liked than the recipe wants. What is not stated is not held against it."""
    stated = map_dict(candidate.get("extra"))
    wanted = (
        ("rating", search.rating_min, Reason.LOW_RATING),
        ("downloads", search.downloads_min, Reason.FEW_DOWNLOADS),
        ("comments", search.comments_min, Reason.FEW_COMMENTS),
        ("tags", search.tags_min, Reason.FEW_TAGS),
    )
    for key, least, reason in wanted:
        if least is not None and key in stated and float(stated[key]) < least:
            return Drop(reason, f"{key} {stated[key]}, at least {least} is wanted")
    return too_long(candidate, recipe) or judge_owner(candidate, recipe.crawl)


def too_long(candidate: Candidate, recipe: Recipe) -> Drop | None:
    stated, limit = candidate.get("duration_s"), recipe.duration_max_s
    if stated and stated > limit and candidate.get("end_s") is None:
        return Drop(Reason.TOO_LONG, f"the page says {stated:g} s, at most {limit:g} s are wanted")
    return None


def judge_owner(candidate: Candidate, crawl: Crawl) -> Drop | None:
    """The recipe's lists of uploaders and licences."""
    uploader = candidate.get("uploader")
    if uploader and uploader.lower() in {name.lower() for name in crawl.block_uploaders}:
        return Drop(Reason.BLOCKED_UPLOADER, uploader)
    return licences.judge(candidate.get("licence"), crawl)
