"""Recipes: YAML files read into frozen models. An unknown key or a wrong type is an error that names its path."""
