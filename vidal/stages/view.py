"""Describes a view of a clip, so that code which handles all views need not know any of them by name.

The manifest stage, validation, the report, the exporters, `vidal plan` and the recipe iterate over these descriptions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from vidal.config.base import ViewSettings
from vidal.pipeline.stage import Stage
from vidal.records import Clip


@dataclass(frozen=True)
class MediaColumn:
    """The files of a view. paths: the manifest column of their names. sha256: the stage's column of their hashes.

    is_per_frame: whether both columns are lists with one entry per stored frame; otherwise each holds one value, or null.
    """

    paths: str
    sha256: str
    is_per_frame: bool = True


@dataclass(frozen=True)
class ViewSpec:
    """A view that is stored as media files beside the frames.

    stage: computes the view, one row per clip. settings: its section of the recipe, under the view's name. columns: columns of the
    stage's table that the manifest also has; those that schema.py does not name become the last columns of the manifest. scores,
    extra: columns of the stage's table whose entries join the manifest's `scores` and `extra`. convert: for each manifest column that
    differs from the stage's column of the same name, a function that computes it from the clip. is_synthetic: whether a model computes
    the view from the frames; the clip then names the view in `synthetic_views`.
    """

    name: str
    stage: Stage
    settings: type[ViewSettings]
    columns: tuple[str, ...]
    media: MediaColumn
    scores: str | None = None
    extra: str | None = None
    convert: Mapping[str, Callable[[Clip], Any]] = field(default_factory=dict)
    is_synthetic: bool = field(kw_only=True)
