"""Collects the texts of a clip: its title and hashtags, the captions of a catalogue, and the captions that models write."""
