import json
from collections import Counter

import pyarrow.parquet as pq
import pytest

from benchmarks.tagging_accuracy import moments_verbs, templates, wordnet_nouns
from vidal import ids
from vidal.config import packaged_files
from vidal.config.loading import load_recipe
from vidal.errors import UserError
from vidal.schema import TERMS
from vidal.storage.storage import Storage
from vidal.terms.build import build
from vidal.terms.report import report
from vidal.terms.tagging import Tagger, load, nouns_and_verbs


def test_nouns_and_verbs_are_lemmas():
    found = list(nouns_and_verbs(["dogs running in the park", "playing guitar"], "en_core_web_sm"))
    assert ("dog", "NOUN") in found[0] and ("park", "NOUN") in found[0] and ("run", "VERB") in found[0]
    assert ("guitar", "NOUN") in found[1]


def test_nouns_and_verbs_agree_with_what_people_wrote(shared):
    for score in (
        wordnet_nouns(shared / "labels", every=20),
        moments_verbs(shared / "labels"),
        templates(shared / "labels"),
    ):
        assert score.right / score.total > 0.85, score


def test_the_name_of_a_thing_is_a_noun_whatever_it_looks_like(tmp_path):
    (tmp_path / "things.txt").write_text("running\n")
    (tmp_path / "list.txt").write_text("singing\nrunning away\n")
    corpora = (
        {"source": "t", "path": str(tmp_path / "things.txt"), "reader": "coco_instances"},
        {"source": "x", "path": str(tmp_path / "list.txt")},
    )
    recipe = load_recipe("embedded", (f"terms.corpora={json.dumps(corpora)}",))
    rows = {
        row["term"]: list(zip(row["keywords"], row["pos"], strict=True))
        for row in built(tmp_path / "db", recipe)[1].to_pylist()
    }
    assert rows["running"] == [("running", "NOUN")]
    assert ("sing", "VERB") in rows["singing"] and ("run", "VERB") in rows["running away"]


def built(out, recipe):
    summary = build(recipe, Storage(str(out)))
    return summary, pq.read_table(out / "terms.parquet")


def test_the_database_is_deterministic_and_keeps_its_sources(tmp_path):
    recipe = load_recipe("embedded")
    _, table = built(tmp_path / "a", recipe)
    built(tmp_path / "b", recipe)
    assert (tmp_path / "a/terms.parquet").read_bytes() == (tmp_path / "b/terms.parquet").read_bytes()
    assert table.schema.names == TERMS.names
    rows = {row["term"]: row for row in table.to_pylist()}
    assert rows["cat"]["sources"] == ["coco", "esc50"] and rows["cat"]["frequency"] == 2
    assert all(row["shard"] == 0 for row in rows.values())


def mine(tmp_path, lines, **terms):
    (tmp_path / "list.txt").write_text("\n".join(lines))
    corpora = [{"source": "mine", "path": str(tmp_path / "list.txt")}]
    return load_recipe("embedded", (f"terms={json.dumps({'corpora': corpora, **terms})}",))


COLOURS = "red green blue black white brown gray pink".split()


@pytest.mark.parametrize("strategy", ["metaclip", "inverse_frequency", "round_robin"])
def test_every_strategy_spares_the_rare_from_the_frequent(tmp_path, strategy):
    lines = [f"the {colour} dog sleeps in the {place}" for colour in COLOURS for place in ("house", "garden", "street")]
    rare = ["zebra", "xylophone", "volcano", "tractor"]
    summary, table = built(tmp_path / "db", mine(tmp_path, [*lines, *rare], count=8, strategy=strategy, cap=4))
    terms = table.column("term").to_pylist()
    assert len(terms) == 8 and set(rare) <= set(terms)
    keyword, before, after = summary.head()
    assert keyword == "dog" and before > 0.8 and after == 0.5


def test_a_cap_holds_for_every_keyword(tmp_path):
    lines = [f"a {colour} dog with a {thing}" for colour in COLOURS for thing in ("ball", "stick", "bone")]
    _, table = built(tmp_path / "db", mine(tmp_path, [*lines, "zebra"], cap=2))
    counts = Counter(keyword for row in table.to_pylist() for keyword in row["keywords"])
    assert counts["dog"] == 2 and counts["zebra"] == 1


def test_names_of_things_and_frequent_runs_of_nouns_stay_whole(tmp_path):
    (tmp_path / "things.txt").write_text("hot dog\n")
    (tmp_path / "captions.txt").write_text(
        "\n".join(f"a {colour} fire hydrant" for colour in COLOURS) + "\na man eats hot dogs\na banana peel\n"
    )
    corpora = [{"source": "coco", "path": str(tmp_path / "things.txt"), "reader": "coco_instances"},
               {"source": "mine", "path": str(tmp_path / "captions.txt")}]  # fmt: skip
    recipe = load_recipe("embedded", (f"terms={json.dumps({'corpora': corpora})}",))
    rows = {row["term"]: row["keywords"] for row in built(tmp_path / "db", recipe)[1].to_pylist()}
    assert rows["a red fire hydrant"] == ["fire hydrant"]
    assert "hot dog" in rows["a man eats hot dogs"] and "dog" not in rows["a man eats hot dogs"]
    assert rows["a banana peel"] == ["banana", "peel"]


def test_the_frequency_filter_drops_what_stands_once(tmp_path):
    _, table = built(tmp_path / "db", mine(tmp_path, ["a cat", "A  cat.", "a dog"], frequency_min=2))
    assert table.column("term").to_pylist() == ["a cat"] and table.column("frequency").to_pylist() == [2]


def test_growing_the_number_of_shards_moves_few_terms():
    terms = [f"term {i}" for i in range(2000)]
    moved = sum(ids.jump_hash(term, 10) != ids.jump_hash(term, 11) for term in terms)
    assert 100 < moved < 280  # One in eleven is 182.


def test_what_is_remembered_gives_the_tags_that_spacy_gives():
    lists = [
        packaged_files.folder("search_terms") / f"{name}.txt" for name in ("imagenet1k", "kinetics700", "youtube8m3862")
    ]
    texts = [line for path in lists for line in path.read_text().splitlines()[::7]]
    texts += ["let's go", "i gotta run", "he ain't here", "gonna dance"]
    ours = [[(lemma, pos) for _, lemma, pos in words] for words in Tagger("en_core_web_sm").words(texts)]
    theirs = [[(token.lemma_.lower(), token.pos_) for token in doc] for doc in load("en_core_web_sm").pipe(texts)]
    assert ours == theirs


def test_a_report_with_both_curves_is_written(tmp_path):
    storage = Storage(str(tmp_path / "db"))
    build(mine(tmp_path, [f"a {colour} dog" for colour in COLOURS], cap=2), storage)
    report(storage)
    page = (tmp_path / "db/report.html").read_text()
    assert "<svg" in page and "dog" in page and "http://" not in page.split("<svg")[0]


def test_a_recipe_without_corpora_is_told(tmp_path):
    with pytest.raises(UserError, match=r"terms\.corpora names no corpus"):
        build(load_recipe("embedded", ("terms.corpora=[]",)), Storage(str(tmp_path)))
