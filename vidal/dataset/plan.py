"""Shows what a recipe would do on this machine: its stages, pools, models and resources, and which models cannot be loaded and why."""

from __future__ import annotations

from dataclasses import dataclass

from vidal.config.recipe import Recipe
from vidal.models.registry import why_unavailable
from vidal.net.javascript import REMEDY, has_runtime
from vidal.pipeline.stage import Stage
from vidal.sources.listings import listing_of
from vidal.sources.ytdlp import YtDlpSearch
from vidal.stages.order import STAGES


@dataclass(frozen=True)
class Line:
    """A line of the plan: a stage, or one of its models.

    pool: a number; stages with the same number share workers. cpus, gpus: those of one worker. workers: the smallest and the largest
    number of workers. model: empty if the stage needs none. absent: why the model cannot be loaded, or empty.
    """

    stage: str
    pool: int
    cpus: float
    gpus: float
    workers: tuple[int, int]
    model: str
    absent: str


def plan(recipe: Recipe) -> list[Line]:
    """Returns what a build of the recipe would run on this machine: a line for each stage and model.

    Raises UserError for an adapter that does not exist.
    """
    lines: list[Line] = []
    pool = -1
    for stage in STAGES.values():
        resources = recipe.resources_of(stage.name)
        pool += not (resources.fuse and pool >= 0)
        for model, why in _models(stage, recipe):
            lines.append(Line(stage.name, pool, resources.cpus, resources.gpus, resources.workers, model, why))
    return lines


def describe_listing(recipe: Recipe) -> str | None:
    """Returns a line with the name and the size of the recipe's catalogue or collection; None if the recipe searches.

    Raises UserError if the catalogue or collection is missing.
    """
    if not recipe.listing:
        return None
    listing = listing_of(recipe)
    return f"from {listing.where}: {listing.extent()}"


def describe_robots(recipe: Recipe) -> str | None:
    """Returns a line that says for which addresses robots.txt is obeyed; None if the user has the media already (recipe.collection)."""
    if recipe.collection:
        return None
    crawl = recipe.crawl
    plain, sources = ("obeyed" if crawl.obeys_robots(is_plain) else "not consulted" for is_plain in (True, False))
    return f"robots.txt: {plain} for plain addresses; {sources} for sources with an extractor or API of their own"


def describe_javascript(recipe: Recipe) -> str | None:
    """Returns a line that says that yt-dlp lacks a JavaScript runtime here; None if it has one, or the recipe needs none."""
    asks_sites = recipe.catalogue or any(
        isinstance(search, YtDlpSearch) and not search.is_on_embedded_site for search in recipe.search
    )
    if not asks_sites or has_runtime():
        return None
    return f"there is no JavaScript runtime here, and videos of YouTube need one (no_javascript): {REMEDY}"


def describe_identities(recipe: Recipe) -> str | None:
    """Returns a line about the user's accounts and proxies: their names, and the sums of their hourly limits. None if there are none."""
    identities = recipe.crawl.identities
    if not identities:
        return None
    sums = [
        _sum_budgets("requests", [identity.requests_per_hour for identity in identities]),
        _sum_budgets("videos", [identity.videos_per_hour for identity in identities]),
    ]
    moves = "goes to another" if recipe.crawl.share_identities else "waits"
    names = ", ".join(identity.name for identity in identities)
    return f"identities: {names}; per hour: {', '.join(sums)}; work whose identity is paused {moves}"


def _sum_budgets(unit: str, limits: list[int | None]) -> str:
    """Returns the sum of hourly budgets with its unit, such as "300 requests".

    limits: the budgets of the recipe's accounts and proxies. None is an unlimited budget. If any budget is unlimited, the sum is too.
    """
    return f"unlimited {unit}" if None in limits else f"{sum(limit or 0 for limit in limits)} {unit}"


def _models(stage: Stage, recipe: Recipe) -> list[tuple[str, str]]:
    """Returns (model, why) for each model of the stage. why: the reason why the model cannot be loaded here; "" if it can.

    If there is no model, returns one pair: ("none", "") if the recipe leaves out an optional model, ("", "") if the stage never
    needs one.
    """
    uses = stage.models(recipe)
    lines = [
        (f"{use.spec.adapter}: {use.spec.id or 'packaged'}", why_unavailable(use.registry, use.spec) or "")
        for use in uses
        if use.spec
    ]
    return lines or [("none" if uses else "", "")]
