"""A shard for the eye: funnel, strips, captions, rejects."""
