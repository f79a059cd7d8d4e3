"""A dataset of schema version 1 becomes one of today's, and the next build computes nothing but its rows."""

import json
import shutil

import pandas as pd
import pyarrow as pa
import pytest

from tests.support.inline import vidal_inline
from vidal import schema
from vidal.records import LedgerRow, rows_of
from vidal.schema import STRS, map_dict
from vidal.stages.manifest.stage import manifest_schema
from vidal.stages.order import VIEWS
from vidal.storage import layout
from vidal.storage.storage import Storage


def downgrade(storage):
    """The dataset as version 1 wrote it: maps, bare tags, no split, one file for all shards."""
    columns = manifest_schema(VIEWS)
    for name, kind in (("scores", schema.SCORES), ("extra", schema.TEXTS), ("audio_tags", STRS)):
        columns = columns.set(columns.get_field_index(name), pa.field(name, kind))
    columns = columns.remove(columns.get_field_index("split"))
    table = storage.read_table("shard-00000.parquet")
    rows = []
    for row in table.to_pylist():
        extra = {
            key: value if isinstance(value, str) else json.dumps(value)
            for key, value in json.loads(row["extra"]).items()
        }
        tags = [tag["tag"] for tag in row["audio_tags"]]
        rows.append(
            {
                **row,
                "scores": sorted(map_dict(row["scores"]).items()),
                "extra": sorted(extra.items()),
                "audio_tags": tags,
            }
        )
    summary = json.loads(storage.read(layout.summary(0)))
    metadata = {**storage.metadata("shard-00000.parquet"), "schema_version": "1", "candidates": summary["candidates"],
                "quarantined": "0", "awaiting": "0"}  # fmt: skip
    storage.write_table(
        "shard-00000.parquet", pa.Table.from_pylist([{n: r[n] for n in columns.names} for r in rows], columns), metadata
    )
    outcomes = [row for row in rows_of(storage.read_table(layout.ledger(0)), LedgerRow) if row["view"] != "subtitle"]
    storage.write_table(layout.ledger(0), schema.table(outcomes, schema.LEDGER))
    dataset = json.loads(storage.read(layout.DATASET))
    entry = {key: summary[key] for key in ("rows", "funnel", "reasons", "views", "tokens", "versions", "stale")}
    old = {**dataset, "schema_version": "1", "shards": {"0": entry}, "recipe": summary["recipe"]}
    storage.write(layout.DATASET, json.dumps(old).encode())
    storage.remove_folder(layout.SUMMARIES)


@pytest.fixture
def old(embedded, tmp_path):
    shutil.copytree(embedded, tmp_path / "old")
    downgrade(Storage(str(tmp_path / "old")))
    return tmp_path / "old"


def test_a_dataset_of_version_1_is_refused_in_one_line_and_rewritten_without_loss(embedded, old):
    for command in (("validate",), ("report",), ("retry",)):
        done = vidal_inline(*command, str(old))
        assert (
            done.returncode == 2
            and f"has schema version 1, but this version of vidal needs 2: run vidal migrate {old}" in done.stderr
        )
    assert vidal_inline("migrate", str(old)).returncode == 0
    assert vidal_inline("validate", str(old)).returncode == 0
    before, after = pd.read_parquet(embedded), pd.read_parquet(old)
    assert list(before.columns) == list(after.columns)
    for column in ("scores", "extra", "split", "clip_id", "sha256"):
        assert before[column].tolist() == after[column].tolist()
    assert [[dict(tag) for tag in tags] for tags in after.audio_tags] == [
        [dict(tag) for tag in tags] for tags in before.audio_tags
    ]
    assert json.loads((old / "_shards/shard-00000.json").read_text())["recipe"]["name"] == "embedded"
    done = vidal_inline("migrate", str(old))
    assert done.returncode == 0 and "nothing to do" in done.stdout


def test_an_interrupted_migration_goes_on(old, monkeypatch):
    write = Storage.write

    def stop_at_the_summary(self, name, data):
        if name == layout.summary(0):
            raise KeyboardInterrupt
        write(self, name, data)

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "write", stop_at_the_summary)
        with pytest.raises(KeyboardInterrupt):
            from vidal.dataset.migrate import migrate

            migrate(str(old))
    assert vidal_inline("migrate", str(old)).returncode == 0
    assert vidal_inline("validate", str(old)).returncode == 0
