"""Moves failed candidates to new parts of their shard. The next build tries these candidates again, and repeats no other work.

A failed candidate has no clips. When it leaves its old part, the clips of that part stay the same. So the stages after the crawl have
nothing new to do there.
"""

from __future__ import annotations

import json

from vidal import schema
from vidal.config.recipe import Recipe
from vidal.dataset import discover
from vidal.dataset.clean import forget_cleaned
from vidal.errors import UserError
from vidal.pipeline.parts import commit_part, inputs_digest, is_done
from vidal.pipeline.stage import Part
from vidal.records import Candidate, LedgerRow, rows_of
from vidal.schema import Reason, Status, Subject
from vidal.stages.order import STAGES
from vidal.storage import layout
from vidal.storage.storage import Storage

TRANSIENT = "transient"
_CRAWL = STAGES["crawl"]


def check_class(name: str) -> None:
    """Raises UserError if the name is neither "transient" nor a reason of the ledger."""
    if name != TRANSIENT and name not in {reason.value for reason in Reason}:
        raise UserError(f"--class {name}: must be {TRANSIENT}, or a reason of the ledger such as http_404")


def move(storage: Storage, recipe: Recipe, shard: int, class_: str) -> int:
    """Moves failed candidates to new parts, and marks failed searches to be repeated. Returns the number of both together.

    class_: selects the failures: "transient", or a reason of the ledger. If an earlier move was interrupted, it is finished first.
    Raises UserError if the catalogue or the search has changed since the shard was built.
    """
    _finish(storage, recipe, shard)
    parts = discover.parts(storage, recipe, shard)
    if parts is None:
        raise UserError(
            f"shard {shard}: its catalogue or search has changed since it was built: run vidal build-shard {shard} first"
        )
    outcomes = [row for part in parts for row in discover.outcomes(storage, part)]
    # A refused row of a catalogue is not a failed search: the list must be corrected, and another attempt cannot help.
    searches = {row["id"] for row in outcomes if _is_wanted(row, class_) and row["reason"] != Reason.BAD_ROW.value}
    discover.ask_again(storage, shard, searches)
    failed = [row["id"] for part in parts for row in _ledger(storage, part) if _is_wanted(row, class_)]
    cleaned = _without_media(storage, shard) if class_ == Reason.AWAITING_MEDIA.value else {}
    failed += sorted({candidate for candidate in cleaned.values() if candidate})
    if failed:
        intent = {"parts": len(parts), "candidates": sorted(failed), "cleaned": sorted(cleaned)}
        storage.write(layout.moving(shard), json.dumps(intent).encode())
        _finish(storage, recipe, shard)
    return len(failed) + len(searches)


def _without_media(storage: Storage, shard: int) -> dict[str, str | None]:
    """Returns {clip id: candidate id} for the clips that pass the filter, but whose media were deleted."""
    rows = rows_of(storage.read_table(layout.ledger(shard)), LedgerRow)
    return {row["id"]: row["parent_id"] for row in rows if row["reason"] == Reason.AWAITING_MEDIA.value}


def _is_wanted(row: LedgerRow, class_: str) -> bool:
    if row["subject"] != Subject.CANDIDATE.value or row["status"] != Status.FAILED.value:
        return False
    return row["transient"] if class_ == TRANSIENT else bool(row["reason"] == class_)


def _finish(storage: Storage, recipe: Recipe, shard: int) -> None:
    """Carries out the move that `move` has recorded, if there is one.

    The new parts are written first, then the new number of parts, then the old parts without the moved candidates. So an interruption
    loses no candidate.
    """
    if not storage.exists(layout.moving(shard)):
        return
    intent = json.loads(storage.read(layout.moving(shard)))
    moving, count = set(intent["candidates"]), intent["parts"]
    # Off the list of deleted media, so that they are fetched as if for the first time.
    forget_cleaned(storage, shard, set(intent.get("cleaned", ())))
    old = [Part(shard, index) for index in range(count)]
    if discover.part_count(storage, shard) == count:
        rows = [
            row
            for part in old
            for row in rows_of(discover.candidates(storage, part), Candidate)
            if row["candidate_id"] in moving
        ]
        size = recipe.engine.part_size
        for start in range(0, len(rows), size):
            name = layout.part(discover.STAGE, shard, count + start // size)
            commit_part(storage, name, rows[start : start + size], [], schema.CANDIDATES, {})
        discover.set_part_count(storage, shard, count + -(-len(rows) // size))
    for part in old:
        _strip(storage, recipe, part, moving)
    storage.remove(layout.moving(shard))


def _strip(storage: Storage, recipe: Recipe, part: Part, moving: set[str]) -> None:
    """Removes the moved candidates from a stored part.

    If the part has been crawled, they are also removed from the stored results of the crawl. The results are stored with the hash of the
    new input. So the next build does not crawl the remaining candidates again.
    """
    rows = rows_of(discover.candidates(storage, part), Candidate)
    remaining = [row for row in rows if row["candidate_id"] not in moving]
    if len(remaining) == len(rows):
        return
    done = is_done(_CRAWL, recipe, storage, part)
    name = layout.part(discover.STAGE, part.shard, part.index)
    commit_part(storage, name, remaining, discover.outcomes(storage, part), schema.CANDIDATES, {})
    if done:
        crawled = layout.part(_CRAWL.name, part.shard, part.index)
        table = [
            row for row in storage.read_table(f"{crawled}.parquet").to_pylist() if row["candidate_id"] not in moving
        ]
        outcomes = [row for row in _ledger(storage, part) if row["id"] not in moving]
        made_by = {
            key: value
            for key, value in storage.metadata(f"{crawled}.parquet").items()
            if key not in ("content", "rows")
        }
        metadata = {**made_by, "inputs": inputs_digest(_CRAWL, storage, part)}
        commit_part(storage, crawled, table, outcomes, _CRAWL.schema, metadata)


def _ledger(storage: Storage, part: Part) -> list[LedgerRow]:
    name = layout.part_ledger(_CRAWL.name, part.shard, part.index)
    return rows_of(storage.read_table(name), LedgerRow) if storage.exists(name) else []
