"""The sources of candidates, which are videos and sounds that may enter a dataset: one file per source, with its settings."""
