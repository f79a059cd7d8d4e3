"""A package outside of vidal that adds a source, an adapter and a view. A recipe asks for it: `plugins: [edge_view]`.

Importing it adds the entries, in the process that reads the recipe and in every worker.
"""

from edge_view.source import Paths
from edge_view.view import VIEW
from vidal.sources.registry import SOURCES, SourceEntry
from vidal.stages.order import add_view

__all__ = ["VIEW", "Paths"]

SOURCES["paths"] = SourceEntry("edge_view.source:Paths")
add_view(VIEW)
