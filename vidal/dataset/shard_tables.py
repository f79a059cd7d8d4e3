"""Writes the shards' tables of candidates from a stream: no more than one shard is in memory, and repeated rows are merged."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from vidal import ids, schema
from vidal.dataset.late_rows import LateRows
from vidal.pipeline.ledger import Outcome, outcome_row
from vidal.records import Candidate, LedgerRow, rows_of
from vidal.schema import Reason, Status, Subject
from vidal.sources import search
from vidal.sources.known_ids import KnownIds
from vidal.sources.listed_texts import add_texts, titles_of
from vidal.sources.listing import RefusedRow
from vidal.storage import layout
from vidal.storage.storage import Storage


@dataclass
class Tally:
    """Counts of the rows of a listing, by what became of them. merged: rows that repeat a candidate; their texts were added to it."""

    candidates: int = 0
    merged: int = 0
    refused: int = 0
    shards: int = 0
    first_refused: str = ""

    @property
    def rows(self) -> int:
        return self.candidates + self.merged + self.refused


class ShardTables:
    """Divides rows into shards, in the order of the listing. size: the number of rows in a shard, without repeated rows."""

    def __init__(self, storage: Storage, size: int):
        self._storage, self._size = storage, size
        self._known, self._late = KnownIds(), LateRows()
        self._candidates: dict[str, Candidate] = {}
        self._refused: list[LedgerRow] = []
        self._tally = Tally()

    def add(self, listed: Candidate | RefusedRow) -> None:
        if isinstance(listed, RefusedRow):
            self._refuse(listed)
        else:
            self._add(listed)
        if len(self._candidates) + len(self._refused) >= self._size:
            self._write_shard()

    def finish(self) -> Tally:
        """Writes the last shard, which may be smaller. Then adds texts to candidates of shards that were written earlier.

        If a row repeats a candidate of a shard that is already written, `add` keeps the texts of the row. `finish` adds these texts to
        the candidate.
        """
        if self._candidates or self._refused:
            self._write_shard()
        with contextlib.closing(self._late):
            for shard, rows in self._late.by_shard():
                name = layout.catalogue(shard)
                by_id = {row["candidate_id"]: row for row in rows_of(self._storage.read_table(name), Candidate)}
                for id_, titles, hashtags in rows:
                    if id_ in by_id:
                        by_id[id_] = add_texts(by_id[id_], titles, hashtags)
                self._write_table(shard, list(by_id.values()))
        return self._tally

    def _add(self, candidate: Candidate) -> None:
        id_, shard = candidate["candidate_id"], self._tally.shards
        earlier = self._known.add(id_, shard)
        if earlier is None:
            self._candidates[id_] = {**candidate, "shard": shard}
            self._tally.candidates += 1
            return
        self._tally.merged += 1
        if id_ in self._candidates:
            own = self._candidates[id_]
            self._candidates[id_] = add_texts(own, titles_of(candidate), candidate["hashtags"])
        elif candidate["title"] or candidate["hashtags"]:
            self._late.add(earlier, candidate)

    def _refuse(self, row: RefusedRow) -> None:
        detail = f"{row.where}: {row.why}"
        outcome = Outcome(Status.FAILED, Reason.BAD_ROW, detail)
        id_ = ids.candidate_id("row", row.where, None, None)
        self._refused.append(outcome_row(Subject.CANDIDATE, id_, search.STAGE, outcome))
        self._tally.refused += 1
        self._tally.first_refused = self._tally.first_refused or detail

    def _write_shard(self) -> None:
        shard = self._tally.shards
        self._write_table(shard, list(self._candidates.values()))
        if self._refused:
            self._storage.write_table(layout.refused(shard), schema.table(self._refused, schema.LEDGER))
        self._candidates, self._refused = {}, []
        self._tally.shards += 1

    def _write_table(self, shard: int, candidates: list[Candidate]) -> None:
        table = schema.table(candidates, schema.CANDIDATES)
        self._storage.write_table(layout.catalogue(shard), table, {"content": schema.content(table)})
