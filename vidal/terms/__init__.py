"""Search terms: label lists in, a tagged and balanced database out."""
