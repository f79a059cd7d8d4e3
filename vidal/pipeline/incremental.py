"""Reuses the results of unchanged records when other records in their part have changed. A part is a batch of records.

If the filter drops records later, their results are moved to another file (layout.retained). They are used again if the filter lets the
records pass again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from vidal import ids
from vidal.pipeline.stage import WorkIdentity
from vidal.records import LedgerRow, Row, rows_of
from vidal.schema import Reason, Status
from vidal.storage import layout
from vidal.storage.storage import Storage

Result = tuple[list[Row], list[LedgerRow]]  # The rows and outcomes of one record.

_DIGITS = 16


def digests(records: Iterable[Row], key: str) -> dict[str, str]:
    """Returns a hash of the content of each record, by the id of the record. key: the column with the id."""
    return {record[key]: ids.fingerprint(record)[:_DIGITS] for record in records}


def metadata(identity: WorkIdentity, record_digests: dict[str, str]) -> dict[str, str]:
    return {
        "stage": identity.fingerprint,
        "versions": json.dumps(identity.versions, sort_keys=True),
        "choices": identity.choices,
        "records": json.dumps(record_digests, sort_keys=True),
    }


def identity_of(part_metadata: dict[str, str]) -> WorkIdentity | None:
    """Returns the identity of the work that made a stored part; None for a part that no stage made."""
    if "versions" not in part_metadata:
        return None
    return WorkIdentity(json.loads(part_metadata["versions"]), part_metadata["choices"])


@dataclass(frozen=True)
class Stored:
    """The stored results of one stage for a part, including those of records that the filter has dropped since.

    results: the result of each record, by the key of the record. digests: the hash of the record from which each result was made.
    identity: the versions, settings and weights that made these results. If a part reuses the results, it is stored with this identity.
    """

    identity: WorkIdentity
    results: dict[str, Result]
    digests: dict[str, str]

    @property
    def rows(self) -> list[Row]:
        """The rows of all results, in the order of the keys of their records."""
        return [row for id_ in sorted(self.results) for row in self.results[id_][0]]

    def unchanged(self, wanted: dict[str, str]) -> dict[str, Result]:
        """Returns the stored results of the wanted records whose digest has not changed. wanted: the present digests, by record key."""
        return {id_: self.results[id_] for id_, digest in wanted.items() if self.digests.get(id_) == digest}

    def without(self, wanted: Iterable[str]) -> Stored:
        rest = self.results.keys() - set(wanted)
        return Stored(self.identity, {id_: self.results[id_] for id_ in rest}, {id_: self.digests[id_] for id_ in rest})


def stored(storage: Storage, name: str, key: str, identity: WorkIdentity, keep_stale: bool = False) -> Stored:
    """Returns the stored results of a part that are still valid, except those of records that are to be tried again.

    name: the part's name without an extension. key: the column that identifies a record. identity: the versions of the stage and its
    adapters, with their settings and weights. A result is valid if it was made with the same identity. With keep_stale, the versions
    may differ.
    """
    origin: WorkIdentity | None = None
    results: dict[str, Result] = {}
    known: dict[str, str] = {}
    for each in (name, layout.retained(name)):
        part_metadata = storage.metadata_if_present(f"{each}.parquet")
        made_by = identity_of(part_metadata or {})
        if part_metadata is None or made_by is None or made_by.choices != identity.choices:
            continue
        # A part records one identity, so results of two versions are not mixed: those of the part itself come first.
        if made_by != (origin or identity) and (origin or not keep_stale):
            continue
        origin = made_by
        results = _results(storage, each, key) | results
        known = json.loads(part_metadata["records"]) | known
    return Stored(origin or identity, results, {id_: known[id_] for id_ in results})


def _results(storage: Storage, name: str, key: str) -> dict[str, Result]:
    rows = storage.read_table(f"{name}.parquet").to_pylist()
    outcomes = rows_of(storage.read_table(f"{name}.ledger.parquet"), LedgerRow)
    if rows and key not in rows[0]:
        return {}
    records = json.loads(storage.metadata(f"{name}.parquet")["records"])
    results: dict[str, Result] = {id_: ([], []) for id_ in records}
    for row in rows:
        results[row[key]][0].append(row)
    for outcome in outcomes:
        for id_ in {outcome["id"], outcome["parent_id"]}:
            if id_ in results:
                results[id_][1].append(outcome)
    return {id_: result for id_, result in results.items() if any(result) and not _is_open(result[1])}


def _is_open(outcomes: list[LedgerRow]) -> bool:
    """Returns whether the record may end differently in another run.

    This is so if it met a bug or a transient failure, or if it needs a view that is not yet computed.
    """
    return any(
        each["reason"] in (Reason.QUARANTINED.value, Reason.AWAITING_VIEWS.value)
        or (each["status"] == Status.FAILED.value and each["transient"])
        for each in outcomes
    )
