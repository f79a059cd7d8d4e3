"""Decides which clips the later stages process."""
