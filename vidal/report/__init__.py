"""Writes an HTML page about each shard for people: the counts of each stage, the clips, and what was dropped or failed."""
