"""The text view that a language model rewrites."""
