"""The troubleshooting page explains every reason that a ledger may hold, and no other."""

from __future__ import annotations

import re

from benchmarks.structure import ROOT
from vidal.schema import Reason


def test_every_reason_is_explained_and_no_other() -> None:
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    explained = [slug for row in rows for slug in re.findall(r"`(\w+)`", row)]
    assert sorted(explained) == sorted(reason.value for reason in Reason)
