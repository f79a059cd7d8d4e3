"""Opens the listing of a recipe: the user's own list of addresses, or the media that the user has already."""

from __future__ import annotations

from vidal.config.recipe import Recipe
from vidal.sources.catalogue import CatalogueListing
from vidal.sources.collections import open_collection
from vidal.sources.listing import Listing


def listing_of(recipe: Recipe) -> Listing:
    """Returns the listing of a recipe with a catalogue or a collection. Raises UserError if its files are missing or of a wrong kind."""
    return open_collection(recipe) or CatalogueListing(str(recipe.catalogue), recipe.columns)
