"""Reads recipes from YAML files into immutable pydantic models. An error about an unknown key or a wrong type names the key."""
