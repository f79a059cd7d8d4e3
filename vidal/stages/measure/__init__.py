"""Statistics of a clip, by which a filter can decide."""
