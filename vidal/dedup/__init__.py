"""Finds copies of clips within a shard, across shards, and in evaluation sets."""
