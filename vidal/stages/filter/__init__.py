"""Decides which clips go on."""
