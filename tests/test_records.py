"""Every record type has the columns of its Arrow schema, with types that fit."""

import types
from datetime import datetime
from typing import Any, Union, get_args, get_origin, get_type_hints

import pyarrow as pa
import pytest

from vidal import records, schema
from vidal.dedup import decontamination
from vidal.scores import MEANINGS

MANIFEST = schema.manifest(MEANINGS)
# The columns of an assembled row that copies within a shard are recognised by.
SIGNED = set(records.SignedClip.__annotations__) | set(records.SignedRow.__annotations__)
TABLES = {
    records.Term: schema.TERMS,
    records.Candidate: schema.CANDIDATES,
    records.CrawledClip: schema.CRAWL,
    records.KeyframesRow: schema.KEYFRAMES,
    records.MeasuredRow: schema.MEASURED,
    records.SimilarityRow: schema.SIMILARITY,
    records.DepthRow: schema.DEPTH,
    records.InfraredRow: schema.INFRARED,
    records.AudioRow: schema.AUDIO,
    records.SoundRow: schema.SOUNDED,
    records.CaptionedRow: schema.CAPTIONED,
    records.EnhancedRow: schema.ENHANCED,
    records.ManifestRow: MANIFEST,
    records.AssembledRow: pa.schema([*MANIFEST, *schema.ASSEMBLED]),
    records.AudioTag: pa.schema(list(schema.AUDIO_TAG)),
    records.LedgerRow: schema.LEDGER,
    records.SignedClip: pa.schema([field for field in (*MANIFEST, *schema.ASSEMBLED) if field.name in SIGNED]),
    records.EvaluationFile: decontamination.SIGNATURES,
    records.Caption: pa.schema(list(schema.CAPTION)),
}
SCALARS = {str: pa.types.is_string, float: pa.types.is_floating, int: pa.types.is_integer, bool: pa.types.is_boolean,
           bytes: pa.types.is_binary, datetime: pa.types.is_timestamp}  # fmt: skip


def fits(hint: Any, arrow: pa.DataType) -> bool:
    if hint is Any:
        return True
    if get_origin(hint) in (Union, types.UnionType):
        return any(fits(each, arrow) for each in get_args(hint) if each is not type(None))
    if get_origin(hint) is list and pa.types.is_map(arrow):
        key, item = get_args(get_args(hint)[0])
        return fits(key, arrow.key_type) and fits(item, arrow.item_type)
    if get_origin(hint) is list:
        return pa.types.is_list(arrow) and fits(get_args(hint)[0], arrow.value_type)
    if get_origin(hint) is dict and pa.types.is_struct(arrow):
        return all(fits(get_args(hint)[1], arrow.field(i).type) for i in range(arrow.num_fields))
    if hint in (records.Caption, records.AudioTag):
        return bool(arrow.equals(schema.CAPTION if hint is records.Caption else schema.AUDIO_TAG))
    return hint in SCALARS and SCALARS[hint](arrow)


@pytest.mark.parametrize("record", TABLES, ids=lambda record: record.__name__)
def test_a_record_type_is_its_schema(record):
    hints, fields = get_type_hints(record), {field.name: field.type for field in TABLES[record]}
    assert hints.keys() == fields.keys()
    assert [name for name, hint in hints.items() if not fits(hint, fields[name])] == []


def test_the_comparison_notices_a_wrong_type():
    assert not fits(str, pa.int32()) and not fits(list[str], pa.string()) and not fits(int | None, pa.list_(pa.int32()))


def test_a_joined_clip_has_the_columns_of_every_stage_that_is_read():
    """But for what only the tables themselves hold."""
    read = (schema.CRAWL, schema.KEYFRAMES, schema.MEASURED, schema.SIMILARITY, schema.DEPTH, schema.INFRARED, schema.AUDIO,
            schema.SOUNDED, schema.CAPTIONED, schema.ENHANCED)  # fmt: skip
    assert get_type_hints(records.Clip).keys() == {name for table in read for name in table.names}
