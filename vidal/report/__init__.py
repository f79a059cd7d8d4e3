"""Writes an HTML page about each shard for people: funnel, strips of pictures, captions, rejected candidates."""
