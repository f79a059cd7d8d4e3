"""Statistics of frames: arrays in, floats out. vidal/scores.py names the results and says what they mean."""
