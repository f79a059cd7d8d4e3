"""Budgets learn from a built shard: a term that gave nothing is retired, one of a keyword that is little covered gets more."""

import pyarrow.parquet as pq
import pytest

from tests.support.inline import vidal_inline
from vidal.config.loading import load_recipe
from vidal.dataset.discover import _weights
from vidal.errors import UserError
from vidal.sources.searches import search_name
from vidal.storage.storage import Storage
from vidal.terms.build import build
from vidal.terms.feedback import feedback


def test_the_yield_of_each_term_sets_its_next_budget(embedded, tmp_path):
    recipe = load_recipe("embedded")
    database = Storage(str(tmp_path / "db"))
    build(recipe, database)
    counts = feedback(Storage(str(embedded)), database, search_name)
    rows = {row["term"]: row for row in pq.read_table(tmp_path / "db/budget.parquet").to_pylist()}
    manifest = pq.read_table(embedded, columns=["search_terms"]).column("search_terms").to_pylist()
    for term, row in rows.items():
        assert row["kept"] == sum(term in terms for terms in manifest)
        assert row["found"] >= row["fetched"] >= row["kept"]
    retired = [term for term, row in rows.items() if row["weight"] == 0]
    assert retired and not any(rows[term]["kept"] for term in retired)
    assert rows["cat"]["weight"] > 0 and counts["retired"] == len(retired)
    weights = _weights(load_recipe("embedded", (f"terms.budget={tmp_path}/db/budget.parquet",)))
    assert weights[retired[0]] == 0.0 and weights["cat"] >= 1.0


def test_what_cannot_be_learned_from_is_told(embedded, tmp_path):
    with pytest.raises(UserError, match=r"holds no terms\.parquet"):
        feedback(Storage(str(embedded)), Storage(str(tmp_path)), search_name)
    with pytest.raises(UserError, match=r"terms\.budget .* no such file"):
        _weights(load_recipe("embedded", ("terms.budget=/no/such.parquet",)))
    done = vidal_inline("search-terms", "feedback", str(tmp_path), "--db", str(tmp_path))
    assert done.returncode == 2 and "search-terms build" in done.stderr
