"""Results of a stale part that are still good: the same record, the same stage, only its neighbours changed.

What a part no longer holds, because the filter dropped it, lies in a retained part beside it and comes back from there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from vidal import ids
from vidal.pipeline.stage import WorkIdentity
from vidal.schema import Reason, Status
from vidal.storage.storage import Storage

Record = dict[str, Any]
Result = tuple[list[Record], list[Record]]  # rows and ledger rows of one record

_DIGITS = 16


def digests(records: Iterable[Record], key: str) -> dict[str, str]:
    """A hash of each record's content, by its key."""
    return {record[key]: ids.fingerprint(record)[:_DIGITS] for record in records}


def metadata(identity: WorkIdentity, record_digests: dict[str, str]) -> dict[str, str]:
    return {
        "stage": identity.fingerprint,
        "versions": json.dumps(identity.versions, sort_keys=True),
        "choices": identity.choices,
        "records": json.dumps(record_digests, sort_keys=True),
    }


def identity_of(part_metadata: dict[str, str]) -> WorkIdentity | None:
    """What a stored part was made by; None of a part that is no stage's work."""
    if "versions" not in part_metadata:
        return None
    return WorkIdentity(json.loads(part_metadata["versions"]), part_metadata["choices"])


def retained_name(name: str) -> str:
    return name.replace("_stages/", "_stages/retained/", 1)


@dataclass(frozen=True)
class Stored:
    """What a part and its retained part hold of one stage's work: results and digests of the records, by their keys.

    identity: what they were made by, and what the part that is made with them is to say.
    """

    identity: WorkIdentity
    results: dict[str, Result]
    digests: dict[str, str]

    def of(self, wanted: dict[str, str]) -> dict[str, Result]:
        """Results for those of the wanted records that have not changed."""
        return {id_: self.results[id_] for id_, digest in wanted.items() if self.digests.get(id_) == digest}

    def without(self, wanted: Iterable[str]) -> Stored:
        rest = self.results.keys() - set(wanted)
        return Stored(
            self.identity, {id_: self.results[id_] for id_ in rest}, {id_: self.digests[id_] for id_ in rest}
        )


def stored(storage: Storage, name: str, key: str, identity: WorkIdentity, keep_stale: bool = False) -> Stored:
    """Results of this identity. A record that is to be tried again is not among them.

    keep_stale: those of other versions too, where the recipe's choices are the same.
    """
    results: dict[str, Result] = {}
    known: dict[str, str] = {}
    for each in (retained_name(name), name):
        if not storage.exists(f"{each}.parquet"):
            continue
        part_metadata = storage.metadata(f"{each}.parquet")
        made_by = identity_of(part_metadata)
        if made_by is None or made_by.choices != identity.choices:
            continue
        if made_by != identity and not keep_stale:
            continue
        identity = made_by
        results |= _results(storage, each, key)
        known |= json.loads(part_metadata["records"])
    return Stored(identity, results, {id_: known[id_] for id_ in results})


def _results(storage: Storage, name: str, key: str) -> dict[str, Result]:
    rows = storage.read_table(f"{name}.parquet").to_pylist()
    outcomes = storage.read_table(f"{name}.ledger.parquet").to_pylist()
    if rows and key not in rows[0]:
        return {}
    records = json.loads(storage.metadata(f"{name}.parquet")["records"])
    results: dict[str, Result] = {id_: ([], []) for id_ in records}
    for row in rows:
        results[row[key]][0].append(row)
    for outcome in outcomes:
        for id_ in {outcome["id"], outcome["parent_id"]} & results.keys():
            results[id_][1].append(outcome)
    return {id_: each for id_, each in results.items() if (each[0] or each[1]) and not _is_open(each[1])}


def _is_open(outcomes: list[Record]) -> bool:
    """Whether another run may end otherwise: a bug that may be mended, a transient failure, a view that was never made."""
    return any(
        each["reason"] in (Reason.QUARANTINED.value, Reason.AWAITING_VIEWS.value)
        or (each["status"] == Status.FAILED.value and each["transient"])
        for each in outcomes
    )
