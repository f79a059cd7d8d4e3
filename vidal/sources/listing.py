"""Defines a listing: the candidates that a build starts from instead of searches, in an order that stays the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from vidal.records import Candidate

if TYPE_CHECKING:
    from hashlib import _Hash


@dataclass(frozen=True)
class RefusedRow:
    """A row that cannot become a candidate. where: names the row in messages; why: the reason, in one line."""

    where: str
    why: str


def count_of(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


class Listing(Protocol):
    """A list of candidates, read once when it is split into shards."""

    where: str
    """The name of the list in messages."""

    def stamp(self) -> list[str]:
        """Returns values that change when the list changes. Getting them costs less than reading the list."""

    def check(self) -> None:
        """Raises UserError if the list does not exist. Called before anything is written."""

    def extent(self) -> str:
        """Returns the size of the list as a text for people, such as "12 files", without reading the list."""

    def sha256(self) -> str:
        """Returns the hash that identifies the content of the list."""

    def candidates(self, digest: _Hash) -> Iterator[Candidate | RefusedRow]:
        """Yields the candidates in order, and a RefusedRow for each row that cannot become a candidate.

        The same candidate may occur several times. digest: a hash object, which is updated with the content of the list. After the
        last candidate, digest.hexdigest() equals what the method `sha256` returns.
        Raises UserError if the list cannot be read to its end.
        """

    def remarks(self) -> list[str]:
        """Returns what else the user should know, such as columns that were not understood. Called after the list has been read."""
