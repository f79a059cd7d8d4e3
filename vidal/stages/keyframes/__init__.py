"""The frames that all views of a clip are aligned with."""
