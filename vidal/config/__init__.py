"""Recipes: YAML to frozen models. An unknown key or a wrong type is an error that names its path."""

from vidal.config.base import ModelSpec, Settings
from vidal.config.finding import Clips, Corpus, Crawl, HostLimits, Search, Terms, Text
from vidal.config.judging import Duplicates, EvaluationSet, Filters, Keyframes, Language, Look, Measure, Similarity
from vidal.config.loading import load_recipe, recipe_names, with_filters
from vidal.config.recipe import Recipe
from vidal.config.running import Engine, Resources
from vidal.config.views import Audio, Captions, Depth, Enhanced, Infrared

__all__ = [
    "Audio",
    "Captions",
    "Clips",
    "Corpus",
    "Crawl",
    "Depth",
    "Duplicates",
    "Engine",
    "Enhanced",
    "EvaluationSet",
    "Filters",
    "HostLimits",
    "Infrared",
    "Keyframes",
    "Language",
    "Look",
    "Measure",
    "ModelSpec",
    "Recipe",
    "Resources",
    "Search",
    "Settings",
    "Similarity",
    "Terms",
    "Text",
    "load_recipe",
    "recipe_names",
    "with_filters",
]
