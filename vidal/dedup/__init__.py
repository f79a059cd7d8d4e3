"""Finds copies: within a shard, across shards, and of clips of evaluation sets."""
