"""Readers of names of actions. All but howto100m also accept a plain list with one name per line, such as those in search_terms/."""

from __future__ import annotations

import re
from collections.abc import Iterator

from vidal.terms.readers.files import extension, lines
from vidal.terms.readers.formats import Tsv, distinct, elements, fields, leaves, plain, rows
from vidal.terms.settings import Corpus

_PBTXT_NAME = re.compile(r"""\bname:\s*(["'])(.*?)\1""")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def ava(corpus: Corpus) -> Iterator[str]:
    """Reads names from ava_action_list_v2.2.pbtxt, or from a list with lines such as `1: bend/bow (at the waist)`. Gu et al. 2018.

    This line gives two names, "bend" and "bow". The text in parentheses is left out, and so are repeated names.
    """
    if extension(corpus) == ".pbtxt":
        labels = (match[2] for line in lines(corpus) if (match := _PBTXT_NAME.search(line)))
    else:
        labels = (re.sub(r"^\d+\s*:\s*", "", line) for line in plain(corpus))
    yield from distinct(name for label in labels for name in alternatives(label))


def alternatives(label: str) -> list[str]:
    """Returns the alternatives of a label: ["bend", "bow"] for "bend/bow (at the waist)".

    Text in parentheses is an example or a placeholder, and is removed with its preposition: "give/serve (an object) to (a person)"
    becomes ["give", "serve"].
    """
    names = re.sub(r"\([^()]*\)", " ", label).split("/")
    return [re.sub(r" (to|from|on)$", "", " ".join(name.split())) for name in names]


def hmdb51(corpus: Corpus) -> Iterator[str]:
    """Reads names of actions, or of their files or folders: brush_hair, brush_hair.rar or hmdb51/brush_hair/. Kuehne et al. 2011."""
    for line in plain(corpus):
        yield line.rstrip("/").rpartition("/")[2].removesuffix(".rar")


def ucf101(corpus: Corpus) -> Iterator[str]:
    """Reads names such as ApplyEyeMakeup, and splits them into words: Apply Eye Makeup. Soomro et al. 2012.

    In classInd.txt, a number precedes each name. It is left out.
    """
    for line in plain(corpus):
        yield _HUMP.sub(" ", re.sub(r"^\d+\s+", "", line))


def kinetics(corpus: Corpus) -> Iterator[str]:
    """Reads the distinct labels of train.csv (label,youtube_id,time_start,time_end,split), or a list. Kay et al. 2017."""
    yield from distinct(fields(corpus, "label")) if extension(corpus) == ".csv" else plain(corpus)


def activitynet(corpus: Corpus) -> Iterator[str]:
    """Reads the column `action` of a CSV, or the leaves of the taxonomy in activity_net.v1-3.min.json. Caba Heilbron et al. 2015.

    The inner nodes ("Root", "Personal Care") name groups of activities, and no clip has them as a label.
    """
    if extension(corpus) == ".json":
        nodes = [node for node in elements(corpus, "taxonomy.item") if isinstance(node, dict)]
        parents = {node.get("parentId") for node in nodes}
        yield from (str(node["nodeName"]) for node in nodes if "nodeName" in node and node.get("nodeId") not in parents)
    elif extension(corpus) == ".csv":
        yield from fields(corpus, "action")
    else:
        yield from plain(corpus)


def moments(corpus: Corpus) -> Iterator[str]:
    """Reads lines such as `clapping`, or `clapping,0` in moments_categories.txt; + becomes a space. Monfort et al. 2019."""
    for line in plain(corpus):
        yield re.sub(r",\d+$", "", line).replace("+", " ")


def sthv2(corpus: Corpus) -> Iterator[str]:
    """Reads the keys of labels.json ({"Holding something": "0"}), or a list. Goyal et al. 2017.

    Square brackets are removed. For example, "Holding [something]" becomes "Holding something".
    """
    keys = (key for key, prefix, _ in leaves(corpus) if prefix == key)
    for template in keys if extension(corpus) == ".json" else plain(corpus):
        yield re.sub(r"\[([^\[\]]*)\]", r"\1", template)


def howto100m(corpus: Corpus) -> Iterator[str]:
    """Reads the task names of task_ids.csv (`task_id<TAB>task name`, no header), or the column `category_2` of HowTo100M_v1.csv.

    Repeated names of that column are left out. Miech et al. 2019.
    """
    if "\t" in next(lines(corpus), ""):
        yield from (row[1] for row in rows(corpus, Tsv) if len(row) > 1 and row[0].strip().isdigit())
    else:
        yield from distinct(fields(corpus, "category_2"))
