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
    """The name of the recipe. The dataset stores it, and only a recipe of the same name can build there."""
    description: str = ""
    """One line that `vidal plan` shows."""
    plugins: tuple[str, ...] = ()
    """Modules of the user's own packages, imported wherever the recipe is used: they add sources, adapters and views."""
    shards: int = Field(default=1, ge=1)
    """Number of shards that the search terms are divided into."""
    shard_candidates: int = Field(default=1000, ge=1)
    """Number of rows of a catalogue, or of a collection, in one shard."""
    terms: Terms = Terms()
    """The search-term database."""
    search: tuple[SourceSearch, ...] = ()
    """The sources that each term is searched in."""
    catalogue: str | None = None
    """A list of URLs instead of searches (--catalogue)."""
    collection: SourceCollection | None = None
    """Media that you have already, instead of searches (--from): a folder or bucket, tables, or WebDataset archives."""
    columns: dict[str, str] = Field(default_factory=dict)
    """Your own names of the columns of a catalogue, and of the keys of the files that describe media: {url: link, caption: text}."""
    limit: int | None = Field(default=None, ge=1)
    """The largest number of candidates of a shard (--limit)."""
    text: Text = Text()
    """The rule on titles and hashtags."""
    crawl: Crawl = Crawl()
    """How often hosts are asked, and how large and slow a download may be."""
    clips: Clips = Clips()
    """How videos that are too long are cut into clips."""
    decoding: Decoding = Decoding()
    """What one operation on a media file may cost."""
    keyframes: Keyframes = Keyframes()
    """Which frames are stored."""
    measure: Measure = Measure()
    """Which statistics are computed."""
    similarity: Similarity
    """How frames and texts are compared."""
    filters: Filters = Filters()
    """`<score>_min` and `<score>_max` bound any score. A clip exactly at a bound passes, and so does one without the score."""
    depth: Depth = Depth()
    """The view `depth`."""
    infrared: Infrared = Infrared()
    """The view `infrared`."""
    audio: Audio = Audio()
    """The view `audio`."""
    captions: Captions = Captions()
    """The text views of captioners."""
    enhanced: Enhanced = Enhanced()
    """The text view of the rewriter."""
    storage: MediaStorage = MediaStorage()
    """How media are stored."""
    split: Split = Split()
    """Which clips are held out for choosing settings and for testing."""
    cache: str | None = None
    """Folder or URI for the answers of captioners and rewriters, one file per answer, so that shards and datasets can share them; null
    means OUT/_cache, with one file per part, whose answers are reused only within the shard."""
    duplicates: Duplicates = Duplicates()
    """When two clips count as copies."""
    decontaminate: tuple[EvaluationSet, ...] = ()
    """Evaluation sets whose clips are marked."""
    train: Train = Train()
    """The trainer."""
    engine: Engine = Engine()
    """How a build runs. Nothing here changes a row, except that keep_stale keeps rows of earlier versions."""
    resources: dict[str, Resources] = Field(default_factory=dict)
    """The resources that a worker needs, by the name of the stage."""

    @model_validator(mode="after")
    def _check_input(self) -> Recipe:
        if self.catalogue and self.collection:
            raise ValueError("give either a catalogue or a collection (--from), not both")
        if self.storage.media == "reference" and not (self.collection and self.collection.has_originals):
            raise ValueError("storage.media: reference needs a folder or bucket of media files: give it with --from")
        return self

    @property
    def listing(self) -> str | None:
        """The list that candidates come from, instead of searches: the path or URI of the catalogue or collection."""
        return self.collection.uri if self.collection else self.catalogue

    @property
    def duration_max_s(self) -> float:
        """The duration of the longest video that is fetched, in seconds."""
        return self.clips.source_max_s if self.clips.detector else self.text.duration_max_s

    def resources_of(self, stage: str) -> Resources:
        return self.resources.get(stage, Resources())

    def settings_of(self, view: str, kind: type[SettingsT]) -> SettingsT:
        """Returns the section of a view that a plugin has added. kind: its class. Raises UserError if no plugin of the recipe adds it."""
        section = getattr(self, view, None)
        if not isinstance(section, kind):
            raise UserError(
                f"recipe {self.name}: no plugin adds the view {view!r}: list the module that adds this view in plugins"
            )
        return section

    def __reduce_ex__(self, protocol: SupportsIndex) -> str | tuple[Any, ...]:
        """Makes a worker that receives the recipe import its plugins first: the recipe's class may contain classes of the plugins."""
        if not self.plugins:
            return super().__reduce_ex__(protocol)
        rebuild: Callable[[Mapping[str, Any]], Recipe] = recipe_from
        return rebuild, (self.model_dump(mode="json"),)


def recipe_from(data: Mapping[str, Any]) -> Recipe:
    """Returns a recipe from its keys.

    Raises UserError for a plugin that cannot be imported, pydantic.ValidationError for anything else that is wrong.
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
