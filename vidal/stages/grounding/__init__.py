"""Flags captions that contradict the pictures or each other."""
