"""Computes statistics of frames: arrays in, floats out. vidal/scores.py names the results and explains them."""
