"""The text view that a language model writes from the other texts of a clip."""
