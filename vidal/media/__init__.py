"""Bytes in, arrays out: probing, frames, sound, hashes. No Ray, no models."""
