"""The sources of candidates: one file per source, with its settings."""
