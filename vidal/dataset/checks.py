"""Checks what a build needs: valid shard numbers, cookie and password files, prompts, and models that are available on this machine."""

from __future__ import annotations

from vidal.config.recipe import Recipe
from vidal.errors import UserError
from vidal.models.registry import why_unavailable
from vidal.net.accounts import check_cookies_file, read_passwords
from vidal.pipeline.stage import ModelUse
from vidal.stages.order import STAGES


def parse_shards(text: str, count: int | None) -> list[int]:
    """Parses the numbers of shards: "0", "0-9" or "0,3,7". count: how many shards the recipe has, or None if not known yet.

    Raises UserError for anything else, and for a shard that the recipe does not have.
    """
    numbers: list[int] = []
    for piece in text.split(","):
        first, dash, last = piece.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise UserError(f"shard {text!r}: give a number, a range such as 0-9, or a list such as 0,3,7")
        numbers += range(int(first), int(last or first) + 1)
    for shard in numbers:
        if count is not None and shard >= count:
            raise UserError(
                f"shard {shard} is out of range: the recipe has {count} shards, numbered from 0 to {count - 1}"
            )
    if not numbers:
        raise UserError(f"shard {text!r}: the range is empty: put the smaller number first")
    return sorted(set(numbers))


def models(recipe: Recipe) -> dict[str, ModelUse]:
    """Returns the models that the recipe chooses, by stage and role, such as "depth" or "captions.keyframe"."""
    uses = {f"{stage.name}.{use.role}".rstrip("."): use for stage in STAGES.values() for use in stage.models(recipe)}
    return {role: use for role, use in uses.items() if use.spec}


def check(recipe: Recipe) -> None:
    """Raises UserError for the first file, prompt or model that is not available here, before any work is done."""
    if recipe.crawl.cookies_file:
        check_cookies_file("crawl.cookies_file", recipe.crawl.cookies_file)
    for identity in recipe.crawl.identities:
        if identity.cookies_file:
            check_cookies_file(f"crawl.identities: {identity.name}: cookies_file", identity.cookies_file)
    read_passwords(recipe.crawl.netrc_file)
    for stage in STAGES.values():
        stage.identity(recipe)  # Reads the prompts.
    for role, use in models(recipe).items():
        spec = use.spec
        if spec and (why := why_unavailable(use.registry, spec)):
            raise UserError(f"{role} model {spec.id or spec.adapter}: {why}")
