"""Statistics of pictures: arrays in, floats out. vidal.scores says what the results are called and mean."""
