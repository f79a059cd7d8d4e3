"""Rows of a listing that repeat a candidate of an earlier shard.

The table of the earlier shard is already written. So the texts of these rows wait on disk until the whole listing has been read. Then
the texts are added to the candidate, and the table is written again.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from itertools import groupby

from vidal.records import Candidate
from vidal.sources.listed_texts import titles_of


class LateRows:
    """Keeps the texts of rows that repeat an earlier candidate, until the texts are added to that candidate.

    The texts are stored in a temporary SQLite database. If the process ends or is killed, no file of the database remains.
    """

    def __init__(self) -> None:
        self._file = sqlite3.connect("")
        self._file.execute("CREATE TABLE late (shard INTEGER, candidate_id TEXT, titles TEXT, hashtags TEXT)")

    def add(self, shard: int, candidate: Candidate) -> None:
        texts = json.dumps(titles_of(candidate)), json.dumps(candidate["hashtags"])
        self._file.execute("INSERT INTO late VALUES (?, ?, ?, ?)", (shard, candidate["candidate_id"], *texts))

    def by_shard(self) -> Iterator[tuple[int, Iterator[tuple[str, list[str], list[str]]]]]:
        """Yields (shard, rows) for each shard, in the order of their numbers.

        rows: (candidate_id, titles, hashtags) of each row, in the order of the listing. They must be read before the next shard.
        """
        rows = self._file.execute("SELECT shard, candidate_id, titles, hashtags FROM late ORDER BY shard, rowid")
        for shard, group in groupby(rows, key=lambda row: int(row[0])):
            yield shard, ((id_, json.loads(titles), json.loads(tags)) for _, id_, titles, tags in group)

    def close(self) -> None:
        self._file.close()
