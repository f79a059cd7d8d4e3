from vidal.config import TermList, load_recipe
from vidal.schema import TERMS
from vidal.terms import labels
from vidal.terms.build import build
from vidal.terms.tagging import nouns_and_verbs


def test_terms_are_normalised_and_comments_left_out(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text("# a list\nFire_Hydrant\n  stop   sign # red\n\nＣａｔ\n", encoding="utf-8")
    assert labels.read(TermList(file=str(path), source="x")) == ["fire hydrant", "stop sign", "cat"]


def test_nouns_and_verbs_are_lemmas():
    found = list(nouns_and_verbs(["dogs running in the park", "playing guitar"], "en_core_web_sm"))
    assert ("dog", "NOUN") in found[0] and ("park", "NOUN") in found[0] and ("run", "VERB") in found[0]
    assert ("guitar", "NOUN") in found[1]


def test_the_database_is_deterministic_and_keeps_its_sources():
    recipe = load_recipe("embedded")
    first, second = build(recipe), build(recipe)
    assert first.equals(second) and first.schema.equals(TERMS)
    rows = {row["term"]: row for row in first.to_pylist()}
    assert rows["cat"]["sources"] == ["coco", "esc50"] and rows["cat"]["frequency"] == 2
    assert all(row["shard"] == 0 for row in rows.values())


def test_a_keyword_brings_at_most_its_cap(tmp_path):
    path = tmp_path / "list.txt"
    path.write_text(
        "\n".join(f"{colour} dog" for colour in "red green blue black white brown gray".split()) + "\nzebra\n"
    )
    terms = f"{{lists: [{{file: {path}, source: mine}}], per_keyword: 2}}"
    rows = build(load_recipe("embedded", (f"terms={terms}",))).to_pylist()
    assert sum("dog" in row["keywords"] for row in rows) < 7
    assert any(row["term"] == "zebra" for row in rows)
