"""Speeds and tables: `make bench`, and `python -m benchmarks.<name>` for each alone."""
