"""Reads and writes storage: tables and media in a folder or an object store, and the cache of a machine."""
