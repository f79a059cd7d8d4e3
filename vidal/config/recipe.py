"""A whole recipe: the settings of every subpackage, and of the views that a user's own packages add."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, SupportsIndex, TypeVar

from pydantic import Field, create_model, model_validator

from vidal.config.base import ADDED_SECTIONS, Settings
from vidal.crawl.settings import Clips
from vidal.dedup.settings import Duplicates, EvaluationSet
from vidal.errors import UserError
from vidal.media.settings import Decoding
from vidal.net.settings import Crawl
from vidal.pipeline.settings import Engine, Resources
from vidal.sources.collections import SourceCollection
from vidal.sources.searches import SourceSearch
from vidal.sources.settings import Text
from vidal.stages.audio.settings import Audio
from vidal.stages.captions.settings import Captions
from vidal.stages.depth.settings import Depth
from vidal.stages.enhanced.settings import Enhanced
from vidal.stages.filter.settings import Filters
from vidal.stages.infrared.settings import Infrared
from vidal.stages.keyframes.settings import Keyframes
from vidal.stages.manifest.settings import Split
from vidal.stages.measure.settings import Measure
from vidal.stages.similarity.settings import Similarity
from vidal.storage.settings import MediaStorage
from vidal.terms.settings import Terms
from vidal.train.settings import Train

SettingsT = TypeVar("SettingsT", bound=Settings)


class Recipe(Settings):
    name: str
    """Name of the recipe. A dataset accepts only builds by a recipe of the same name."""
    description: str = ""
    """One line that `vidal plan` shows."""
    plugins: tuple[str, ...] = ()
    """Your own Python modules that add sources, adapters or views. See docs/extending.md."""
    shards: int = Field(default=1, ge=1)
    """Number of shards that the search terms are divided into."""
    shard_candidates: int = Field(default=1000, ge=1)
    """Number of candidates in a shard of your own list or media."""
    terms: Terms = Terms()
    """The search terms, and where they come from."""
    search: tuple[SourceSearch, ...] = ()
    """Searches that are made for each search term. [Searches](#searches) has their keys."""
    catalogue: str | None = None
    """Your own list of URLs, which replaces the searches. It is a path, glob or URI. The option `--catalogue` sets this key."""
    collection: SourceCollection | None = None
    """Media that you have already, which replace the searches. [Collections](#collections) has the keys. The option `--from` sets
    this key."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Your names for vidal's columns, which docs/crawl.md lists. `{url: link}` reads URLs from your column `link`. The
    names also apply to the keys of JSON files that describe your media."""
    limit: int | None = Field(default=None, ge=1)
    """Largest number of candidates in a shard. The option `--limit` sets this key."""
    text: Text = Text()
    """Which titles, hashtags and durations are accepted."""
    crawl: Crawl = Crawl()
    """How media are downloaded."""
    clips: Clips = Clips()
    """How videos that are too long are cut into clips."""
    decoding: Decoding = Decoding()
    """CPU time and memory that an operation on a media file may use."""
    keyframes: Keyframes = Keyframes()
    """Which frames of a clip are stored."""
    measure: Measure = Measure()
    """Which scores are measured."""
    similarity: Similarity
    """How pictures and texts are compared."""
    filters: Filters = Filters()
    """Which clips stay in the dataset, by bounds on their scores."""
    depth: Depth = Depth()
    """The view `depth`."""
    infrared: Infrared = Infrared()
    """The view `infrared`."""
    audio: Audio = Audio()
    """The sound track of a clip, and its scores."""
    captions: Captions = Captions()
    """Models that write captions."""
    enhanced: Enhanced = Enhanced()
    """The view `enhanced`, a rewritten caption."""
    storage: MediaStorage = MediaStorage()
    """How media are stored."""
    split: Split = Split()
    """Shares of the clips for training, validation and test."""
    cache: str | None = None
    """A folder or URI that stores the answers of caption models for all shards and datasets that name it. `null` stores them in
    OUT/_cache, where only the same shard reuses them."""
    duplicates: Duplicates = Duplicates()
    """When two clips count as copies."""
    decontaminate: tuple[EvaluationSet, ...] = ()
    """Evaluation sets. Clips that occur in one of them are marked."""
    train: Train = Train()
    """How `vidal train` trains encoders."""
    engine: Engine = Engine()
    """How a build runs."""
    resources: dict[str, Resources] = Field(default_factory=dict)
    """CPUs, GPUs, memory and workers of each stage."""

    @model_validator(mode="after")
    def _check_input(self) -> Recipe:
        if self.catalogue and self.collection:
            raise ValueError("give either a catalogue or a collection (--from), not both")
        if self.storage.media == "reference" and not (self.collection and self.collection.has_originals):
            raise ValueError("storage.media: reference needs a folder or bucket of media files: give it with --from")
        return self

    @property
    def listing(self) -> str | None:
        """The path or URI of the catalogue or collection that lists the candidates. None if the recipe has neither."""
        return self.collection.uri if self.collection else self.catalogue

    def duration_max_s(self, *, is_sound: bool = False) -> float:
        """Returns the maximum duration of a video, in seconds. is_sound: whether to return the maximum duration of a sound instead.

        If clips.detector is set, the maximum for a video is clips.source_max_s. Otherwise, it is text.duration_max_s. The maximum for a
        sound is always text.duration_max_s.
        """
        return self.clips.source_max_s if self.clips.detector and not is_sound else self.text.duration_max_s

    def resources_of(self, stage: str) -> Resources:
        return self.resources.get(stage, Resources())

    def settings_of(self, view: str, kind: type[SettingsT]) -> SettingsT:
        """Returns the settings of a view that a plugin has added. kind: their class.

        Raises UserError if no plugin of the recipe adds the view.
        """
        section = getattr(self, view, None)
        if not isinstance(section, kind):
            raise UserError(
                f"recipe {self.name}: no plugin adds the view {view!r}: name the module of this view under plugins"
            )
        return section

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """If the recipe has plugins, pickles only its keys and values. Unpickling imports the plugins first, then builds the recipe."""
        if not self.plugins:
            return super().__reduce_ex__(protocol)
        rebuild: Callable[[Mapping[str, Any]], Recipe] = recipe_from
        return rebuild, (self.model_dump(mode="json"),)


def recipe_from(data: Mapping[str, Any]) -> Recipe:
    """Builds a Recipe from its keys and values. Imports the plugins that the recipe names.

    Raises UserError if a plugin cannot be imported, and pydantic.ValidationError if anything else is wrong.
    """
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
            raise UserError(
                f"plugins: {name} cannot be imported ({error}): install its package here and on every worker"
            ) from error


def _with_views(recipe: type[Recipe]) -> type[Recipe]:
    """Returns a subclass with a section for each view that plugins have added, or the class itself if no plugin has added one."""
    sections: dict[str, Any] = {name: (settings, settings()) for name, settings in ADDED_SECTIONS.items()}
    return create_model("Recipe", __base__=recipe, **sections) if sections else recipe
