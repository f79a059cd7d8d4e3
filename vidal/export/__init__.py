"""Writes a dataset in the layouts that other loaders read."""
