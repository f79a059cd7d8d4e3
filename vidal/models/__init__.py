"""One file per adapter, which also holds its heavy imports. registry.py names the adapters, and protocols.py says what they do."""
