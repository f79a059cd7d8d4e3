"""Reads recipes from YAML files into immutable pydantic models. The error for an unknown key or a wrong type names the path of the key."""
