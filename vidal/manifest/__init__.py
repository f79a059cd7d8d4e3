"""Datasets on disk: commit, validate, read."""
