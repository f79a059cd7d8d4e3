"""Which clips go on."""
