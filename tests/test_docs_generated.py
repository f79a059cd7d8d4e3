"""The pages that are made of the code say what the code says, and everything in them is described."""

import pytest
from pydantic import BaseModel

from docs.generate import PAGES
from docs.pages.recipe import sections_of
from tests.conftest import ROOT
from vidal import schema
from vidal.config.recipe import Recipe
from vidal.sources.registry import COLLECTIONS, SOURCES


@pytest.mark.parametrize("name", ["recipe.md", "columns.md"])
def test_a_page_is_what_make_docs_writes(name):
    page = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert page == PAGES[name](), "run `make docs`"


def sections(model: type[BaseModel]) -> set[type[BaseModel]]:
    inner = {section for field in model.model_fields.values() for section in sections_of(field)}
    return {model}.union(*(sections(each) for each in inner))


def test_every_key_of_a_recipe_is_described():
    models = sections(Recipe).union(entry.load().settings for entry in (*SOURCES.values(), *COLLECTIONS.values()))
    undescribed = [
        f"{model.__name__}.{key}"
        for model in models
        for key, field in model.model_fields.items()
        if not field.description
    ]
    assert len(models) > 20 and undescribed == []


def test_every_column_is_described():
    tables = (schema.manifest(()), schema.LEDGER, schema.TERMS, schema.CAPTION, schema.AUDIO_TAG)
    assert {field.name for table in tables for field in table} == schema.MEANINGS.keys()
