"""Statistics of pictures: arrays in, floats out. vidal.measures says what the results are called and mean."""
