"""Adapters of models. Each has a file of its own with its heavy imports; registry.py lists them, and protocols.py says what they do."""
