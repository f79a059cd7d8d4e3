"""Licences as the platforms write them, to names as SPDX writes them, for the recipe's allow-list. Rows keep the raw text."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

from vidal.net.settings import Crawl
from vidal.pipeline.stage import Drop
from vidal.schema import Reason

_CC_URL = re.compile(
    r"creativecommons\.org/(?:licenses/(?P<kind>[a-z-]+)/(?P<version>[\d.]+)|publicdomain/(?P<public>zero|mark))"
)
_CC_TEXT = re.compile(r"^(?:creative commons |cc[ -])?(?P<kind>by(?:[ -](?:nc|nd|sa))*)(?:[ -](?P<version>\d\.\d))?$")
_WORDS = {
    "attribution": "by",
    "non commercial": "nc",
    "noncommercial": "nc",
    "non-commercial": "nc",
    "no derivatives": "nd",
    "noderivs": "nd",
    "share alike": "sa",
    "sharealike": "sa",
}
_KNOWN = {
    "creative commons 0": "CC0-1.0",
    "cc0": "CC0-1.0",
    "public domain": "CC-PDM-1.0",
    "public domain dedication": "CC0-1.0",
    "creative commons attribution licence (reuse allowed)": "CC-BY-3.0",
    "creative commons attribution license (reuse allowed)": "CC-BY-3.0",
}


def spdx(licence: str) -> str:
    """ "https://creativecommons.org/licenses/by/4.0/" is CC-BY-4.0; a name that is not known stays as it is."""
    text = " ".join(licence.lower().split())
    if found := _CC_URL.search(text):
        if found["public"]:
            return "CC0-1.0" if found["public"] == "zero" else "CC-PDM-1.0"
        return f"CC-{found['kind'].upper()}-{found['version']}"
    if text in _KNOWN:
        return _KNOWN[text]
    for word, short in _WORDS.items():
        text = text.replace(word, short)
    if found := _CC_TEXT.match(re.sub(r"[ -]+", "-", text).replace("creative-commons-", "cc-").removeprefix("cc-")):
        version = f"-{found['version']}" if found["version"] else ""
        return f"CC-{found['kind'].replace(' ', '-').upper()}{version}"
    return licence


def judge(licence: str | None, crawl: Crawl) -> Drop | None:
    """The recipe's allow-list."""
    if not crawl.licences:
        return None
    if not licence:
        return None if crawl.licence_unknown else Drop(Reason.LICENCE, "it names none")
    name = spdx(licence)
    if any(fnmatchcase(name.lower(), allowed.lower()) for allowed in crawl.licences):
        return None
    return Drop(Reason.LICENCE, f"{name}, allowed are {', '.join(crawl.licences)}")
