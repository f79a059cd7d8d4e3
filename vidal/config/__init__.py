"""Recipes: YAML to frozen models. An unknown key or a wrong type is an error that names its path."""
