"""Rows of a stale part that are still good: the same record, the same stage, only its neighbours changed.

What a part no longer holds, because the filter dropped it, lies in a spare part beside it and comes back from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vidal import ids
from vidal.schema import Reason, Status
from vidal.storage import Storage

Record = dict[str, Any]
Made = tuple[list[Record], list[Record]]  # rows and ledger rows of one record

_DIGITS = 16


def digests(records: Iterable[Record], key: str) -> dict[str, str]:
    """Of each record's content, by its key."""
    return {record[key]: ids.fingerprint(record)[:_DIGITS] for record in records}


def metadata(fingerprint: str, found: dict[str, str]) -> dict[str, str]:
    return {"stage": fingerprint, "records": json.dumps(found, sort_keys=True)}


def spare_name(name: str) -> str:
    return name.replace("_stages/", "_stages/spare/", 1)


@dataclass(frozen=True)
class Stored:
    """What a part and its spare hold of one stage's work: results and digests of the records, by their keys."""

    made: dict[str, Made]
    digests: dict[str, str]

    def of(self, wanted: dict[str, str]) -> dict[str, Made]:
        """Results for those of the wanted records that have not changed."""
        return {id_: self.made[id_] for id_, digest in wanted.items() if self.digests.get(id_) == digest}

    def without(self, wanted: Iterable[str]) -> Stored:
        left = self.made.keys() - set(wanted)
        return Stored({id_: self.made[id_] for id_ in left}, {id_: self.digests[id_] for id_ in left})


def stored(storage: Storage, name: str, key: str, fingerprint: str) -> Stored:
    """Nothing where other code or settings made it. A record that failed is not among the results: it is tried again."""
    made: dict[str, Made] = {}
    known: dict[str, str] = {}
    for each in (spare_name(name), name):
        if not storage.exists(f"{each}.parquet"):
            continue
        found = storage.metadata(f"{each}.parquet")
        if found.get("stage") == fingerprint and found.get("quarantined") != "1":
            made |= _results(storage, each, key)
            known |= json.loads(found["records"])
    return Stored(made, {id_: known[id_] for id_ in made})


def _results(storage: Storage, name: str, key: str) -> dict[str, Made]:
    rows = storage.read_table(f"{name}.parquet").to_pylist()
    outcomes = storage.read_table(f"{name}.ledger.parquet").to_pylist()
    if rows and key not in rows[0]:
        return {}
    records = json.loads(storage.metadata(f"{name}.parquet")["records"])
    made: dict[str, Made] = {id_: ([], []) for id_ in records}
    for row in rows:
        made[row[key]][0].append(row)
    for outcome in outcomes:
        for id_ in {outcome["id"], outcome["parent_id"]} & made.keys():
            made[id_][1].append(outcome)
    return {id_: each for id_, each in made.items() if (each[0] or each[1]) and not _is_open(each[1])}


def _is_open(outcomes: list[Record]) -> bool:
    return any(
        each["status"] == Status.FAILED.value or each["reason"] == Reason.AWAITING_VIEWS.value for each in outcomes
    )
