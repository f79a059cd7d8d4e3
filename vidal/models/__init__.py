"""Adapters of models. Each has its own file, with its heavy imports. registry.py lists them; protocols.py defines their methods."""
