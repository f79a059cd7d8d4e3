"""The text view of the sound."""
