"""What a recipe would do here: stages, pools, models, resources, and what cannot be loaded and why."""

from __future__ import annotations

from dataclasses import dataclass

from vidal.config.recipe import Recipe
from vidal.dataset.build import models
from vidal.models.weights import missing
from vidal.stages.order import STAGES


@dataclass(frozen=True)
class Line:
    """One stage. model: empty where it needs none; absent: why it cannot be loaded here, else empty."""

    stage: str
    pool: int
    cpus: float
    gpus: float
    workers: tuple[int, int]
    model: str
    absent: str


def plan(recipe: Recipe) -> list[Line]:
    named = models(recipe)
    absent = {role: missing(spec) or "" for role, spec in named.items()}
    lines: list[Line] = []
    pool = -1
    for name in STAGES:
        resources = recipe.resources_of(name)
        pool += not (resources.fuse and pool >= 0)
        roles = [role for role in named if role.split(".")[0] == name] or [""]
        for role in roles:
            model = f"{named[role].adapter}: {named[role].id or 'packaged'}" if role else ""
            if not role and name in ("depth", "infrared", "enhanced"):
                model = "none"
            lines.append(
                Line(name, pool, resources.cpus, resources.gpus, resources.workers, model, absent.get(role, ""))
            )
    return lines
