"""Maps the licence texts of platforms to SPDX identifiers, for the recipe's allow-list. The column `licence` keeps the raw text."""

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


def to_spdx(licence: str) -> str:
    """Returns the SPDX identifier: CC-BY-4.0 for "https://creativecommons.org/licenses/by/4.0/". Unknown texts are returned unchanged."""
    text = " ".join(licence.lower().split())
    if match := _CC_URL.search(text):
        if match["public"]:
            return "CC0-1.0" if match["public"] == "zero" else "CC-PDM-1.0"
        return f"CC-{match['kind'].upper()}-{match['version']}"
    if text in _KNOWN:
        return _KNOWN[text]
    for word, short in _WORDS.items():
        text = text.replace(word, short)
    text = re.sub(r"[ -]+", "-", text).replace("creative-commons-", "cc-").removeprefix("cc-")
    if match := _CC_TEXT.match(text):
        version = f"-{match['version']}" if match["version"] else ""
        return f"CC-{match['kind'].replace(' ', '-').upper()}{version}"
    return licence


def judge_licence(licence: str | None, crawl: Crawl) -> Drop | None:
    """Returns None if the recipe accepts the licence, else a Drop.

    If crawl.licences is empty, every candidate is accepted, even one without a licence. Otherwise the licence must match an entry of
    crawl.licences; a missing licence is accepted only if crawl.licence_unknown is true.
    """
    if not crawl.licences:
        return None
    if not licence:
        return (
            None
            if crawl.licence_unknown
            else Drop(Reason.LICENCE, "no licence is stated, and crawl.licence_unknown is false")
        )
    name = to_spdx(licence)
    if any(fnmatchcase(name.lower(), allowed.lower()) for allowed in crawl.licences):
        return None
    return Drop(Reason.LICENCE, f"the licence is {name}, which is not in crawl.licences: {', '.join(crawl.licences)}")
