"""A whole recipe: the settings of every room, and of the views that a user's own packages add."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsIndex, TypeVar

from pydantic import Field, create_model

from vidal.config.base import ADDED_SECTIONS, Settings
from vidal.crawl.settings import Clips
from vidal.dedup.settings import Duplicates, EvaluationSet
from vidal.errors import UserError
from vidal.net.settings import Crawl
from vidal.pipeline.settings import Engine, Resources
from vidal.sources.searches import SourceSearch
from vidal.sources.settings import Text
from vidal.stages.audio.settings import Audio
from vidal.stages.captions.settings import Captions
from vidal.stages.depth.settings import Depth
from vidal.stages.enhanced.settings import Enhanced
from vidal.stages.filter.settings import Filters
from vidal.stages.infrared.settings import Infrared
from vidal.stages.keyframes.settings import Keyframes
from vidal.stages.measure.settings import Measure
from vidal.stages.similarity.settings import Similarity
from vidal.terms.settings import Terms
from vidal.train.settings import Train

SettingsT = TypeVar("SettingsT", bound=Settings)


class Recipe(Settings):
    name: str
    description: str = ""
    # Modules of the user's own packages, imported wherever the recipe is used: they add sources, adapters and views.
    plugins: tuple[str, ...] = ()
    shards: int = Field(default=1, ge=1)
    shard_candidates: int = Field(default=1000, ge=1)
    terms: Terms = Terms()
    search: tuple[SourceSearch, ...] = ()
    catalogue: str | None = None
    # Names of the user's columns for those that a catalogue has here: {url: link, caption: text, clips: spans}.
    columns: dict[str, str] = Field(default_factory=dict)
    limit: int | None = Field(default=None, ge=1)
    text: Text = Text()
    crawl: Crawl = Crawl()
    clips: Clips = Clips()
    keyframes: Keyframes = Keyframes()
    measure: Measure = Measure()
    similarity: Similarity
    filters: Filters = Filters()
    depth: Depth = Depth()
    infrared: Infrared = Infrared()
    audio: Audio = Audio()
    captions: Captions = Captions()
    enhanced: Enhanced = Enhanced()
    # Where answers of captioners and rewriters are kept: a folder or URI that datasets share; null is OUT/_cache.
    cache: str | None = None
    duplicates: Duplicates = Duplicates()
    decontaminate: tuple[EvaluationSet, ...] = ()
    train: Train = Train()
    engine: Engine = Engine()
    resources: dict[str, Resources] = Field(default_factory=dict)

    @property
    def duration_max_s(self) -> float:
        """The longest video that is fetched, in seconds."""
        return self.clips.source_max_s if self.clips.detector else self.text.duration_max_s

    def resources_of(self, stage: str) -> Resources:
        return self.resources.get(stage, Resources())

    def settings_of(self, view: str, kind: type[SettingsT]) -> SettingsT:
        """The section of a view that a plugin has added. Raises UserError where no plugin of the recipe adds it."""
        section = getattr(self, view, None)
        if not isinstance(section, kind):
            raise UserError(f"recipe {self.name}: no plugin adds the view {view!r}: name its module under plugins")
        return section

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """A worker that is given the recipe imports its plugins first: its class may be made of theirs."""
        if not self.plugins:
            return super().__reduce_ex__(protocol)
        rebuild: Callable[[Mapping[str, Any]], Recipe] = recipe_from
        return rebuild, (self.model_dump(mode="json"),)


def recipe_from(data: Mapping[str, Any]) -> Recipe:
    """A recipe from its keys. Raises UserError for a plugin that cannot be imported, pydantic.ValidationError for the rest."""
    plugins = data.get("plugins") or ()
    if isinstance(plugins, (list, tuple)) and plugins:
        import_plugins([str(name) for name in plugins])
        return _with_views(Recipe).model_validate(data)
    return Recipe.model_validate(data)


def import_plugins(names: Sequence[str]) -> None:
    """Imports modules of the user's own packages. Raises UserError for one that cannot be imported."""
    for name in names:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise UserError(f"plugins: {name} cannot be imported ({error}): install its package here and on every worker") from error


def _with_views(recipe: type[Recipe]) -> type[Recipe]:
    """The recipe with a section for each view that it does not have yet."""
    sections: dict[str, Any] = {name: (settings, settings()) for name, settings in ADDED_SECTIONS.items()}
    return create_model("Recipe", __base__=recipe, **sections) if sections else recipe
