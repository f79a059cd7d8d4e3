"""Turns the bytes of media into arrays: probing, frames, sound, hashes. Uses neither Ray nor models."""
