"""Computes statistics of a clip, which a filter can use."""
