"""Measures how well pictures and words agree."""
