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
    """The files of a view. paths: the manifest column with their names. sha256: the column of the stage's table with their hashes.

    is_per_frame: whether both columns are lists with one entry per stored frame; otherwise each holds one value, or null.
    """

    paths: str
    sha256: str
    is_per_frame: bool = True


@dataclass(frozen=True)
class ViewSpec:
    """A view that is stored as media files beside the frames.

    stage: computes the view, one row per clip.
    settings: the class of the view's section in the recipe. The section has the name of the view.
    columns: the manifest columns that describe the view. Columns that schema.py does not name come last in the manifest.
    scores, extra: columns of the stage's table. Their entries are added to the manifest's `scores` and `extra`.
    convert: functions that compute manifest columns from a clip, by column. All other columns are copied from the stage's table.
    is_synthetic: whether a model computes the view from the frames. The manifest column `synthetic_views` then names the view.
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
