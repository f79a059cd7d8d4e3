"""The lock of versions: whoever changes what a stage makes says so, and nothing else redoes finished work."""

import json
import shutil

import pytest

from tests.pipeline.stage_versions import LOCK, ROOT, code_lock, problems, unexplained
from tests.support.code_reach import Code
from vidal.stages.order import STAGES


@pytest.fixture(scope="module")
def locked():
    return json.loads(LOCK.read_text())


@pytest.fixture
def copy(tmp_path):
    shutil.copytree(ROOT / "vidal", tmp_path / "vidal", ignore=shutil.ignore_patterns("__pycache__", "weights"))
    return tmp_path


def edit(copy, name, old, new):
    path = copy / "vidal" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def changed(locked, copy):
    return {line.split(":")[0] for line in problems(locked, code_lock(copy))}


def test_the_lock_is_that_of_this_code(locked):
    assert problems(locked, code_lock()) == []


def test_an_edited_stage_its_helper_and_an_edited_adapter_fail_the_lock(locked, copy):
    edit(copy, "stages/depth/quality.py", "return", "return 0 or")
    assert changed(locked, copy) == {"stage depth"}
    edit(copy, "models/tags.py", "DETECTED_MIN, CLASSIFIED_MIN = 0.5, 0.3", "DETECTED_MIN, CLASSIFIED_MIN = 0.6, 0.3")
    assert changed(locked, copy) == {"stage depth", "adapter Tags"}
    edit(copy, "stages/captions/stage.py", "[:300]", "[:200]")
    assert changed(locked, copy) >= {"stage depth", "adapter Tags", "stage captions"}
    assert all("bump its version" in line for line in problems(locked, code_lock(copy)))


def test_a_method_that_is_called_on_what_an_annotation_names_is_reached(locked, copy):
    edit(copy, "config/recipe.py", "self.clips.source_max_s if", "0.5 * self.clips.source_max_s if")
    assert {"discover", "stage crawl"} <= changed(locked, copy)
    assert "stage depth" not in changed(locked, copy)


def test_comments_docstrings_layout_messages_a_new_reason_a_new_adapter_and_a_moved_module_alter_nothing(locked, copy):
    edit(
        copy,
        "stages/captions/stage.py",
        '"""Returns an entry of the column `captions`. frame: '
        'the index of the frame that the text describes; None for the whole clip."""',
        '"""Another\n\n    docstring."""',
    )
    edit(
        copy,
        "stages/captions/stage.py",
        "captions += imported(clip)\n",
        "captions += imported(\n            clip  # why\n        )\n",
    )
    edit(
        copy,
        "stages/filter/stage.py",
        'Reason.AWAITING_VIEWS, "the clip passes now, but has no views yet: run vidal build-shard to make them"\n',
        'Reason.AWAITING_VIEWS,\n                f"{clip} passes",\n',
    )
    edit(copy, "schema.py", '    CRASHED = "crashed"\n', '    CRASHED = "crashed"\n    NEW_REASON = "new_reason"\n')
    entry = '"x": Adapter("vidal.models.x:X", 1, PackagedWeights()),'
    edit(copy, "models/registry.py", "SCORERS: Registry = {", f"SCORERS: Registry = {{{entry}")
    (copy / "vidal" / "media" / "hashing.py").rename(copy / "vidal" / "media" / "perceptual.py")
    for path in (copy / "vidal").rglob("*.py"):
        path.write_text(path.read_text().replace("vidal.media.hashing", "vidal.media.perceptual"))
    assert changed(locked, copy) == set()


def test_the_reason_beside_a_message_counts(locked, copy):
    edit(copy, "stages/filter/stage.py", "Reason.AWAITING_VIEWS", "Reason.AWAITING_MEDIA")
    assert "stage filter" in changed(locked, copy)


def test_the_comma_of_a_tuple_of_one_counts_and_that_of_a_call_does_not(tmp_path):
    texts = ["x = f((a,), [b])\n", "x = f(\n    (a,),\n    [b,],\n)\n", "x = f((a), [b])\n"]
    digests = []
    for index, text in enumerate(texts):
        (tmp_path / str(index) / "vidal").mkdir(parents=True)
        (tmp_path / str(index) / "vidal" / "a.py").write_text(text)
        digests.append(Code(tmp_path / str(index)).digest([("vidal.a", "x")]))
    assert digests[0] == digests[1] != digests[2]


def test_a_slug_that_a_stage_uses_is_reached_and_another_is_not(locked, copy):
    edit(copy, "schema.py", '"nothing_recognised"', '"unrecognised"')
    assert {"stage captions", "stage sound"} <= changed(locked, copy)
    assert "stage depth" not in changed(locked, copy)


ONE = {"a.py": "from vidal import ids\n\n\ndef f(x):\n    return ids.sha(f'{x!r} of {ids.N}')\n",
       "ids.py": "N = 1\n\n\ndef sha(x):\n    return x\n"}  # fmt: skip
TWO = {"a.py": "from vidal import keys\n\ndef f(x):  # a\n    return keys.sha(\n        f'{x!r} of {keys.N}')\n",
       "keys.py": "def sha(x):\n    return x\nN = 1\n"}  # fmt: skip


def test_a_module_that_is_moved_under_another_alias_alters_nothing(tmp_path):
    for folder, files in {"one": ONE, "two": TWO}.items():
        (tmp_path / folder / "vidal").mkdir(parents=True)
        for name, text in {"__init__.py": "", **files}.items():
            (tmp_path / folder / "vidal" / name).write_text(text)
    one, two = (Code(tmp_path / folder) for folder in ("one", "two"))
    assert sorted(each.name for each in one.reach([("vidal.a", "f")])) == ["N", "f", "sha"]
    assert one.digest([("vidal.a", "f")]) == two.digest([("vidal.a", "f")])


def test_stage_versions_refuses_a_shard_that_has_changed_where_no_version_was_bumped(locked):
    contents = {**locked["embedded"], "captions": "other", "enhanced": "other"}
    assert unexplained(locked, locked, contents) == ["captions", "enhanced"]
    bumped = json.loads(json.dumps(locked))
    bumped["stages"]["captions"]["version"] += 1
    assert unexplained(locked, bumped, contents) == []
    bumped = json.loads(json.dumps(locked))
    bumped["adapters"]["Tags"]["version"] += 1
    assert unexplained(locked, bumped, contents) == []
    bumped["adapters"]["Tags"]["version"] -= 1
    bumped["stages"]["enhanced"]["version"] += 1
    assert unexplained(locked, bumped, contents) == ["captions"]


def test_every_stage_is_locked_with_what_it_makes_of_the_embedded_shard(locked):
    assert set(locked["embedded"]) == {"discover", *STAGES}
