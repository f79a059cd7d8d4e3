"""Turns the bytes of media into arrays: probing, frames, sound, hashes. Without Ray and without models."""
