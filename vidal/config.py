"""Recipes: YAML to frozen models. An unknown key or a wrong type is an error that names its path."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import ConfigDict, Field, ValidationError, field_validator, model_validator

from vidal import resources
from vidal.errors import UserError
from vidal.measures import is_score
from vidal.settings import ModelSpec, Settings
from vidal.train.settings import Train


class Corpus(Settings):
    """Labels or captions in a file or URI; a bare file name is looked up in search_terms/. reader: see vidal.terms.readers.

    column: the text column of one's own csv, tsv, jsonl or Parquet. subset: for imagenet, a list of synset ids to keep;
    synonyms: a term a synonym, or a synset's whole list as one term (the paper's way).
    """

    source: str
    path: str
    reader: str = "text"
    column: str | None = None
    subset: str | None = None
    synonyms: Literal["each", "joined"] = "each"


class Terms(Settings):
    """The search-term database: corpora, tagged, at most `count` terms balanced over their keywords.

    database: a folder with a terms.parquet built before; null builds it into the dataset. cap: terms a keyword brings
    about, at most (MetaCLIP's t); null takes what gives `count`. frequency_min: how often a text must stand in the corpora.
    phrase_min: how many terms must hold a run of nouns for it to be one keyword. budget: of `search-terms feedback`.
    """

    corpora: tuple[Corpus, ...] = ()
    database: str | None = None
    budget: str | None = None
    tagger: str = "en_core_web_sm"
    count: int = Field(default=100_000, ge=1)
    strategy: Literal["metaclip", "inverse_frequency", "round_robin"] = "metaclip"
    cap: float | None = Field(default=None, gt=0)
    seed: int = 0
    frequency_min: int = Field(default=1, ge=1)
    words_max: int = Field(default=40, ge=1)
    phrase_min: int = Field(default=3, ge=1)
    buckets: int = Field(default=64, ge=1)


class Search(Settings):
    """Where candidates come from, and how many results a term may give.

    source: ytdlp with one of its search keys, freesound, peertube or archive (Internet Archive). base_url: of another
    instance or server. shorts: YouTube's short videos only. token_file: a file with the API token; else the environment
    variable FREESOUND_TOKEN. The *_min keys drop a result that states less; one that states nothing passes.
    """

    source: Literal["ytdlp", "freesound", "peertube", "archive"] = "ytdlp"
    key: str = "ytsearch"
    per_term: int = Field(default=5, ge=1)
    site: Literal["embedded"] | None = None
    query: str = "{term}"
    shorts: bool = False
    base_url: str | None = None
    token_file: str | None = None
    rating_min: float | None = Field(default=None, ge=0)
    downloads_min: int | None = Field(default=None, ge=0)
    comments_min: int | None = Field(default=None, ge=0)
    tags_min: int | None = Field(default=None, ge=0)

    @property
    def name(self) -> str:
        return self.key if self.source == "ytdlp" else self.source


class Text(Settings):
    """The paper's rule on titles and hashtags. `or` drops a title that is short or has no hashtags, `and` both."""

    rule: Literal["or", "and", "off"] = "or"
    title_words_min: int = Field(default=2, ge=0)
    stop_words: tuple[str, ...] = ()
    junk_tags: tuple[str, ...] = ()
    duration_max_s: float = Field(default=20.0, gt=0)


class HostLimits(Settings):
    """What one host (and its subdomains) is asked at most, by the whole cluster. daily_requests: null is no limit."""

    requests_per_s: float | None = Field(default=None, gt=0)
    burst: int | None = Field(default=None, ge=1)
    host_concurrency: int | None = Field(default=None, ge=1)
    daily_requests: int | None = Field(default=None, ge=1)


class Crawl(Settings):
    """How sources are asked, and what they may cost.

    requests_per_s, burst, host_concurrency, daily_requests hold for every host, over the whole cluster; hosts: others for
    some. concurrency: downloads at a time in one worker. attempts: of a request that fails in passing; a host that says it
    is asked too much is left alone for as long as it says, patience_s at most in all.
    """

    requests_per_s: float = Field(default=2.0, gt=0)
    burst: int = Field(default=4, ge=1)
    host_concurrency: int = Field(default=4, ge=1)
    daily_requests: int | None = Field(default=None, ge=1)
    hosts: dict[str, HostLimits] = Field(default_factory=dict)
    concurrency: int = Field(default=4, ge=1)
    attempts: int = Field(default=3, ge=1)
    backoff_s: float = Field(default=1.0, ge=0)
    backoff_max_s: float = Field(default=60.0, ge=0)
    patience_s: float = Field(default=900.0, ge=0)
    breaker_failures: int = Field(default=10, ge=1)
    breaker_pause_s: float = Field(default=60.0, ge=0)
    # One download or page, waiting for the host's turn aside.
    timeout_s: float = Field(default=120.0, gt=0)
    stall_s: float = Field(default=20.0, gt=0)
    max_bytes: int = Field(default=200_000_000, ge=1)
    page_max_bytes: int = Field(default=20_000_000, ge=1)
    max_redirects: int = Field(default=10, ge=0)
    max_pixels: int = Field(default=7680 * 4320, ge=1)
    duration_min_s: float = Field(default=0.0, ge=0)
    duration_tolerance_s: float = Field(default=1.0, ge=0)
    format: str = "best[height<=?720]/best"
    user_agent: str | None = None
    cookies_file: str | None = None
    proxies: tuple[str, ...] = ()
    # yt-dlp's own pauses: before a download (from, to), and between the requests of an extractor.
    sleep_s: tuple[float, float] = (0.0, 0.0)
    sleep_requests_s: float = Field(default=0.0, ge=0)
    # Plain web pages and files: robots.txt is obeyed, and a page that opts out of machine learning is left alone.
    robots: bool = True
    opt_out: tuple[str, ...] = ("noai", "noimageai")
    # Names as in SPDX, with * ("CC-BY*"); empty allows all. licence_unknown: whether a clip that names none passes.
    licences: tuple[str, ...] = ()
    licence_unknown: bool = True
    block_uploaders: tuple[str, ...] = ()
    block_domains: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    # A fixed date for sources that do not change, so that builds are reproducible; null is the true time.
    retrieved_at: datetime | None = None


class Clips(Settings):
    """Long videos are cut at shot boundaries into pieces of max_s at most; null drops them as too_long.

    detector: content (hard cuts, cheap) or transnetv2. A piece under min_s is left out. source_max_s: of the whole video. A
    clip that is not cut, or a span of a catalogue, keeps the cuts inside it, counted in scores["cuts"].
    """

    detector: Literal["content", "transnetv2"] | None = None
    threshold: float | None = Field(default=None, gt=0)
    max_s: float = Field(default=20.0, gt=0)
    min_s: float = Field(default=1.0, gt=0)
    source_max_s: float = Field(default=3600.0, gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Clips:
        if self.min_s >= self.max_s:
            raise ValueError("min_s must be less than max_s")
        return self


class Keyframes(Settings):
    """times: linspace (first to last), paper (i * (n // count)) or scene (middles of equal parts of each shot).

    quality: of jpg and webp.
    """

    count: int = Field(default=8, ge=1)
    times: Literal["linspace", "paper", "scene"] = "linspace"
    short_side: int = Field(default=256, ge=16)
    format: Literal["jpg", "png", "webp"] = "jpg"
    quality: int = Field(default=92, ge=1, le=100)


class Similarity(Settings):
    model: ModelSpec


class Filters(Settings):
    """Which clips stay, by their scores. `<score>_min` and `<score>_max` bound any score of the manifest, both included.

    similarity_min: of frames and raw text; a sound passes it. A clip without the score passes. languages: ISO 639-1 codes of the
    raw text; empty admits all, and a text whose language is not known passes.
    """

    model_config = ConfigDict(frozen=True, extra="allow", protected_namespaces=())

    similarity_min: float | None = Field(default=None, ge=-1, le=1)
    languages: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _bounds(self) -> Filters:
        for name, value in (self.model_extra or {}).items():
            if not (name.endswith(("_min", "_max")) and is_score(name[:-4])):
                raise ValueError(f"{name}: must be the name of a score (vidal/measures.py) with _min or _max behind it")
            if value is not None and (isinstance(value, bool) or not isinstance(value, (int, float))):
                raise ValueError(f"{name}: must be a number, not {value!r}")
        return self

    def bounds(self) -> dict[str, float]:
        """The thresholds that are set, by their names."""
        named = {"similarity_min": self.similarity_min, **(self.model_extra or {})}
        return {name: float(value) for name, value in named.items() if value is not None}


class Look(Settings):
    """A model that looks at stored frames. frames: how many, evenly spread over the clip; null is all."""

    model: ModelSpec
    frames: int | None = Field(default=None, ge=1)


class Language(Settings):
    """confidence_min: below it the language stays null. model.options.languages: the ISO 639-1 codes to choose from."""

    model: ModelSpec = ModelSpec(adapter="py3langid")
    confidence_min: float = Field(default=0.5, ge=0, le=1)


class Measure(Settings):
    """Which statistics of a clip are taken; vidal.measures says what they mean. Nothing is dropped here.

    pictures: brightness to frozen frames; motion_pairs: where in the video, at most, motion is looked at. null is off.
    """

    pictures: bool = True
    blur: bool = True
    motion: bool = True
    motion_pairs: int = Field(default=3, ge=1)
    text: Look | None = None
    nsfw: Look | None = None
    aesthetic: Look | None = None
    language: Language | None = Language()


class Depth(Settings):
    """Without a model the view is absent and the ledger says no_estimator.

    mode: own, or paper, which is what VIDAL-10M's script does with GLPN: pictures forced to 448 x 796 whatever their
    aspect, stored at short side 256, cut at 10 m, millimetres rounded down. short_side: of the stored pictures, which are
    never larger than the frames; null takes the mode's, which is the frames' own. max_m: metric depth beyond it is cut and
    counted; null takes the mode's, which is all that 16 bits of millimetres hold.
    """

    model: ModelSpec | None = None
    mode: Literal["own", "paper"] = "own"
    short_side: int | None = Field(default=None, ge=16)
    max_m: float | None = Field(default=None, gt=0, le=65.535)

    @model_validator(mode="after")
    def _paper(self) -> Depth:
        return _only_with(self, "transformers")


class Infrared(Settings):
    """Without a model the view is absent and the ledger says no_estimator.

    mode: own (one style and one range of intensities for a clip), or paper, which is what VIDAL-10M's script does with
    sRGB-TIR: pictures forced to 640 x 400, a new random style and a range of its own for every frame. short_side: of the
    stored pictures, which are never larger than the frames; null takes the frames' own, in mode paper 256. quality: of jpg.
    """

    model: ModelSpec | None = None
    mode: Literal["own", "paper"] = "own"
    short_side: int | None = Field(default=None, ge=16)
    format: Literal["jpg", "png"] = "jpg"
    quality: int = Field(default=95, ge=1, le=100)

    @model_validator(mode="after")
    def _paper(self) -> Infrared:
        return _only_with(self, "munit")


def _only_with(settings: Any, adapter: str) -> Any:
    if settings.mode == "paper" and settings.model and settings.model.adapter != adapter:
        raise ValueError(f"mode paper is for the adapter {adapter}, not {settings.model.adapter}")
    return settings


class Audio(Settings):
    """The sound track. silence_db: RMS level in dBFS under which a block, or the whole, is silence.

    loudness: LUFS by BS.1770. activity: speech, singing, music; a share of tag_share_min or more makes a tag. speech: what is
    said. similarity: sound against title and hashtags, and the sound's vector. A model that is null is not asked.
    """

    sample_rate: int = Field(default=16_000, ge=4_000)
    silence_db: float = -60.0
    loudness: bool = True
    activity: ModelSpec | None = None
    speech: ModelSpec | None = None
    similarity: ModelSpec | None = None
    tag_share_min: float = Field(default=0.3, ge=0, le=1)
    clipping_share_max: float = Field(default=0.001, ge=0, le=1)


class Captions(Settings):
    """A caption for each frame, one for the video, and one for its sound: heard (adapter heard), or imagined by a captioner."""

    keyframe: ModelSpec | None = None
    video: ModelSpec | None = None
    sound: ModelSpec | None = None
    prompt_keyframe: str = "keyframe.txt"
    prompt_video: str = "video.txt"
    prompt_sound: str = "sound.txt"


class Enhanced(Settings):
    """The rewriter, and the guard that holds its words against the other views.

    A word is supported by a view's lemma, by a synonym (words whose vectors have the cosine synonym_min; null knows none), or by
    the pictures (seen_min: cosine of the word and the clip in the similarity model's space; null does not look).
    concurrency: requests at a time, for an adapter that asks a server.
    """

    model: ModelSpec | None = None
    prompt: str = "enhance.yaml"
    guard_tagger: str = "en_core_web_sm"
    reject_unsupported: bool = True
    synonym_min: float | None = Field(default=0.78, gt=0, le=1)
    seen_min: float | None = Field(default=None, ge=-1, le=1)
    concurrency: int = Field(default=1, ge=1)


class Duplicates(Settings):
    """Copies of films and of sounds. A film: max_distance bits of 64 between its frames, in the median, at most; motion_min: how
    alike they must move, 0..1. A sound: audio_max_difference is the share of the bits of its fingerprint, at most.

    semantic: clips whose vectors (of the similarity and the sound model) have at least this cosine are copies; null is off.
    """

    exact: bool = True
    near: bool = True
    max_distance: float = Field(default=20.0, ge=0)
    motion_min: float = Field(default=0.65, ge=-1, le=1)
    audio_max_difference: float = Field(default=0.12, ge=0, le=1)
    semantic: float | None = Field(default=None, gt=0, le=1)


class EvaluationSet(Settings):
    """Clips that a model will be judged by: those of a shard that are among them are marked in `contaminates`, never dropped.

    ids: a file with a source id, platform:id, URL or sha256 in a line, or a csv and its column. signatures: what `vidal signatures` wrote
    of the set's media; copies are told as by `duplicates`. semantic: the cosine from which a clip is taken for one of the set.
    """

    name: str = Field(pattern=r"^[A-Za-z0-9._-]+$")
    ids: str | None = None
    column: str | None = None
    signatures: str | None = None
    semantic: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _something(self) -> EvaluationSet:
        if self.ids is None and self.signatures is None:
            raise ValueError("give ids, signatures or both")
        if self.semantic is not None and self.signatures is None:
            raise ValueError("semantic needs signatures")
        return self


class Resources(Settings):
    """What one worker of a stage asks of Ray, and how many there may be. fuse: share the previous stage's worker.

    gpus: a number or fraction of them; gpu_memory: in place of it, GB of one GPU's memory, which become the fraction that
    they are of it. Where the cluster has no GPU, gpu_memory is passed over: the same recipe then runs on CPUs. batch_size:
    pictures that a depth or infrared model sees at a time; null is one clip's. It alters speed and never the rows.
    """

    cpus: float = Field(default=0.25, gt=0)
    gpus: float = Field(default=0.0, ge=0)
    gpu_memory: float | None = Field(default=None, gt=0)
    batch_size: int | None = Field(default=None, ge=1)
    memory_gb: float | None = Field(default=None, gt=0)
    workers: tuple[int, int] = (1, 1)
    fuse: bool = False

    @field_validator("workers")
    @classmethod
    def _ordered(cls, value: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= value[0] <= value[1]:
            raise ValueError("must be [min, max] with 1 <= min <= max")
        return value

    @model_validator(mode="after")
    def _one_share(self) -> Resources:
        if self.gpus and self.gpu_memory:
            raise ValueError("give gpus or gpu_memory, not both")
        return self


class Engine(Settings):
    """part_size: candidates a part; parts_in_flight: between crawl and manifest at one time, at most."""

    part_size: int = Field(default=32, ge=1)
    parts_in_flight: int = Field(default=16, ge=1)
    part_attempts: int = Field(default=2, ge=1)
    record_crashes_max: int = Field(default=2, ge=1)
    object_store_mb: int = Field(default=256, ge=80)


class Recipe(Settings):
    name: str
    description: str = ""
    shards: int = Field(default=1, ge=1)
    shard_candidates: int = Field(default=1000, ge=1)
    terms: Terms = Terms()
    search: tuple[Search, ...] = ()
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


def load_recipe(name: str, overrides: tuple[str, ...] = (), **values: Any) -> Recipe:
    """name: a recipe in pipelines/ or a path to a YAML file; overrides: "key.path=yaml value".

    values replace top-level keys. Raises UserError, with the path of the key, for whatever is wrong.
    """
    data = _read(_path(name))
    for override in overrides:
        _set(data, override)
    data.update({key: value for key, value in values.items() if value is not None})
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise UserError(f"recipe {name}: {_first_line(error)}") from error


def with_filters(recipe: Recipe, overrides: tuple[str, ...]) -> Recipe:
    """overrides: "similarity_min=0.25", a threshold each; null takes one away. Raises UserError."""
    data: dict[str, Any] = recipe.model_dump(mode="json")
    for override in overrides:
        _set(data, override if override.startswith("filters.") else f"filters.{override}")
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        raise UserError(f"--set {overrides[-1]}: {_first_line(error)}") from error


def recipe_names() -> list[str]:
    return sorted(path.stem for path in resources.folder("pipelines").glob("*.yaml"))


def _path(name: str) -> Path:
    path = Path(name) if name.endswith((".yaml", ".yml")) else resources.folder("pipelines") / f"{name}.yaml"
    if not path.is_file():
        raise UserError(f"no recipe {name!r}: give a YAML file, or one of {', '.join(recipe_names())}")
    return path


def _read(path: Path, seen: tuple[Path, ...] = ()) -> dict[str, Any]:
    if path.resolve() in seen:
        raise UserError(f"recipe {path}: extends itself")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"recipe {path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise UserError(f"recipe {path}: must be a mapping of keys to values")
    parent = data.pop("extends", None)
    if parent is None:
        return data
    beside = path.parent / f"{parent}.yaml"
    base = _read(beside if beside.is_file() else _path(str(parent)), (*seen, path.resolve()))
    return _merge(base, data)


def _merge(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """Mappings merge key by key, except a model: another adapter must not inherit the first one's options."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merge(merged[key], value) if both and "adapter" not in value else value
    return merged


def _set(data: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    if not equals or not path:
        raise UserError(f"--set {override!r}: must be key.path=value")
    *parents, last = path.split(".")
    node = data
    for key in parents:
        child = node.get(key)
        if child is None:
            child = {}
        elif not isinstance(child, dict):
            raise UserError(f"--set {override!r}: {key} is not a mapping")
        node[key] = dict(child)
        node = node[key]
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise UserError(f"--set {override!r}: the value is not YAML") from error


def _first_line(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"]) or "(top)"
    what = "unknown key" if first["type"] == "extra_forbidden" else first["msg"]
    more = error.error_count() - 1
    return f"{where}: {what}" + (f" (and {more} more)" if more else "")
