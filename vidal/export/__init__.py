"""A dataset in the layouts that other loaders read."""
