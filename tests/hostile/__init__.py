"""A hostile web site on loopback, and how a crawler must judge each of its addresses. README.md has the table."""

from tests.hostile.cases import CASES, Case
from tests.hostile.server import Served, Site, serve

__all__ = ["CASES", "Case", "Served", "Site", "serve"]
