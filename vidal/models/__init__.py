"""One file an adapter; heavy imports live in the adapter's file. registry.py names them, protocols.py says what they do."""
