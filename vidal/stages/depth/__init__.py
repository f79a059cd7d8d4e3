"""The view depth."""
