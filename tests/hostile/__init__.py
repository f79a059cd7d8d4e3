"""A hostile web site on loopback, and what a crawler must make of each of its pages. README.md has the table."""

from tests.hostile.cases import CASES, Case
from tests.hostile.server import Served, Site, serve

__all__ = ["CASES", "Case", "Served", "Site", "serve"]
