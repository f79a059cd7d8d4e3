"""Measures how well captions agree with the pictures, and flags captions that contradict each other."""
