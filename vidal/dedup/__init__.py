"""Copies: within a shard, across shards, and of evaluation sets."""
