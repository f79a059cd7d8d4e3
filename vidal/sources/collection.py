"""Defines a collection: it lists and fetches media that the user has already, in a folder, a bucket, archives or tables."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from vidal.sources.listing import Listing
from vidal.sources.settings import CollectionSettings
from vidal.sources.source import Fetcher

if TYPE_CHECKING:
    from vidal.config.recipe import Recipe


class Collection(Listing, Fetcher, Protocol):
    """A listing of media that also fetches them. Safe to share between threads.

    settings: the collection's subclass of CollectionSettings. The constructor takes an instance of it and sends no request.
    """

    settings: ClassVar[type[CollectionSettings]]

    def __init__(self, settings: Any, recipe: Recipe) -> None: ...

    def close(self) -> None:
        """Removes temporary files."""


def listing_sha256(listing: Listing) -> str:
    """Reads a whole listing, and returns the SHA-256 of its content."""
    digest = sha256()
    for _ in listing.candidates(digest):
        pass
    return digest.hexdigest()
