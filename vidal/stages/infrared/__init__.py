"""The view infrared."""
