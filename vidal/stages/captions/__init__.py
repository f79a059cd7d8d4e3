"""The text views that come from the page and from captioners."""
