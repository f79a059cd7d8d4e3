"""Turns label lists and captions into a tagged and balanced database of search terms."""
