"""Did it help? Where a part of the data is wrong on purpose, the proxy says that leaving it out helps."""

import json

import numpy as np
import pytest
from PIL import Image

from tests.support.inline import vidal_inline
from tests.train.test_train_data import caption, dataset
from tests.train.test_train_run import COLOURS, WORDS
from vidal.cli.ablate import ablate
from vidal.errors import UserError

RIGHT, WRONG = 0, 1


def build(out, shard, clips, texts, similarity):
    """Pictures of one colour. texts: by view, whether it names that colour or the next."""
    rows = []
    for number in range(clips):
        captions = [caption(view, WORDS[(number + wrong) % 6]) for view, wrong in texts.items()]
        rows.append({"clip_id": f"{shard}-{number}", "captions": captions, "similarity": similarity})
    dataset(out, rows, shard)
    for number in range(clips):
        for path in (out / "_media" / f"{shard}-{number}").iterdir():
            noise = np.random.default_rng([shard, number, int(path.stem)]).integers(0, 20, (40, 40, 3))
            picture = (np.array(COLOURS[number % 6]) * 0.9 + noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(picture).save(path)


def two_shards(out, right, wrong):
    """Builds a dataset whose shard 0 has right texts, and whose shard 1 has wrong texts and a low similarity."""
    build(out, 0, right, {"title": RIGHT}, 0.4)
    build(out, 1, wrong, {"title": WRONG}, 0.1)
    return str(out)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Twice as many wrong clips as right ones."""
    return two_shards(tmp_path_factory.mktemp("mixed"), right=60, wrong=120)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """For tests of what is printed."""
    return two_shards(tmp_path_factory.mktemp("few"), right=24, wrong=12)


@pytest.mark.parametrize(
    ("change", "helps"),
    [pytest.param(("--shard", "1"), False, marks=pytest.mark.slow), (("--filter", "similarity_min=0.2"), True)],
)
def test_clips_that_are_wrong_do_not_help_and_the_filter_that_drops_them_does(mixed, change, helps):
    found = compared(mixed, *change)
    assert {found["clips_with"], found["clips_without"]} == {49, 169}
    assert (found["metrics"]["R@1"]["change"] > 0) is helps


@pytest.mark.slow
def test_a_view_that_is_wrong_does_not_help(tmp_path):
    build(tmp_path, 0, 80, {"title": RIGHT, "video": WRONG}, 0.4)
    found = compared(str(tmp_path), "--view", "video", "--set", "train.views={title: 1, video: 4}")
    assert found["clips_with"] == found["clips_without"]
    assert found["metrics"]["R@1"]["change"] < 0


def compared(out, *arguments):
    done = vidal_inline("ablate", "--data", out, *arguments, "--seeds", "3", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    change = found["metrics"]["R@1"]
    assert abs(change["change"]) > 3 * change["spread"], found
    assert change["change"] == pytest.approx(change["with_it"] - change["without_it"])
    return found


def test_what_cannot_be_compared_is_refused(mixed):
    for arguments, said in (
        (("--shard", "7"), "no clip of shard 7"),
        (("--view", "poems"), "no texts of 'poems'"),
        (("--filter", "beauty_min=1"), "name of a score"),
        (("--filter", "similarity_min=0.01"), "nothing to compare"),
        (("--filter", "similarity_min=0.9"), "held out"),
        (("--view", "title", "--set", "train.views={title: 1, video: 1}"), "held out"),  # No clip has another text.
    ):
        with pytest.raises(UserError, match=said):
            ablate.main(["--data", mixed, *arguments], standalone_mode=False)
    done = vidal_inline("ablate", "--data", mixed)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1) and "give exactly one of" in done.stderr


def test_the_old_name_of_the_command_works_with_one_line_of_warning(few):
    arguments = ("--data", few, "--filter", "similarity_min=0.2", "--seeds", "2", "--json")
    old, new = vidal_inline("proxy", *arguments), vidal_inline("ablate", *arguments)
    assert old.returncode == new.returncode == 0
    assert old.stderr.splitlines() == ["vidal: the command proxy is now called ablate"]
    assert old.stdout == new.stdout and new.stderr == ""


def test_the_table_is_printed_once(few):
    printed = vidal_inline("ablate", "--data", few, "--filter", "similarity_min=0.2", "--seeds", "2").stdout
    assert printed.count("2 seeds") == 1 and printed.count("R@1 ") == printed.count("R@10") == 1


def test_of_two_datasets_the_one_with_right_texts_is_better(tmp_path):
    """At equal size, though the wrong one is larger."""
    build(tmp_path / "right", 0, 60, {"title": RIGHT}, 0.4)
    build(tmp_path / "wrong", 1, 90, {"title": WRONG}, 0.4)
    build(tmp_path / "judge", 2, 24, {"title": RIGHT}, 0.4)
    right, wrong, judge = (str(tmp_path / name) for name in ("right", "wrong", "judge"))
    for one, other, better in ((right, wrong, "first"), (wrong, right, "second")):
        found = compared(one, "--against", other, "--judge", judge)
        assert found["better"] == better and found["clips"] == 60 and found["judged_by"] == 24
        assert (found["metrics"]["R@1"]["change"] > 0) is (better == "first")
        assert found["metrics"]["R@1"]["spread"] >= 0
    done = vidal_inline("ablate", "--data", right, "--against", right, "--seeds", "3", "--json")
    even = json.loads(done.stdout.splitlines()[-1])
    assert even["better"] is None and even["metrics"]["R@1"]["change"] == 0
    with pytest.raises(UserError, match="--judge only works with --against"):
        ablate.main(["--data", right, "--view", "title", "--judge", judge], standalone_mode=False)
