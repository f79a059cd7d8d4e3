"""A recipe, whole."""

from __future__ import annotations

from pydantic import Field

from vidal.config.base import Settings
from vidal.crawl.settings import Clips
from vidal.dedup.settings import Duplicates, EvaluationSet
from vidal.net.settings import Crawl
from vidal.pipeline.settings import Engine, Resources
from vidal.sources.registry import SourceSearch
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


class Recipe(Settings):
    name: str
    description: str = ""
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
        """Of a video as it is fetched, in seconds."""
        return self.clips.source_max_s if self.clips.detector else self.text.duration_max_s

    def resources_of(self, stage: str) -> Resources:
        return self.resources.get(stage, Resources())
