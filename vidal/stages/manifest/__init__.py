"""The tables of all stages as one row a clip."""
