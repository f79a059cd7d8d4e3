"""The text views from the source (title, hashtags), a catalogue, and captioners."""
