import pytest

from vidal.cli.main import main
from vidal.config.loading import load_recipe, recipe_names, with_overrides
from vidal.errors import UserError


def test_the_four_recipes_load():
    assert {"embedded", "catalogue", "vidal10m", "modern"} <= set(recipe_names())
    for name in recipe_names():
        assert load_recipe(name).name == name


def test_extends_inherits_and_another_adapter_does_not_inherit_options():
    base, child = load_recipe("vidal10m"), load_recipe("modern")
    assert child.text == base.text
    assert "generate" in base.captions.keyframe.options and "generate" not in child.captions.keyframe.options


@pytest.mark.parametrize(
    ("override", "path"),
    [
        ("similarity.threshold=0.3", "similarity.threshold: unknown key"),
        ("filters.similarity_min=high", "filters.similarity_min"),
        ("filters.motion=1", "motion: must be the name of a score"),
        ("filters.sharpness_min=much", "sharpness_min: must be a number"),
        ("keyframes.count=0", "keyframes.count"),
        ("resources.crawl.workers=[3,1]", "resources.crawl.workers"),
    ],
)
def test_an_unknown_key_or_wrong_type_is_named_by_its_path(override, path):
    with pytest.raises(UserError, match=path.replace(".", r"\.")):
        load_recipe("embedded", (override,))


def test_set_overrides_a_key():
    assert load_recipe("embedded", ("filters.similarity_min=0.5",)).filters.similarity_min == 0.5


@pytest.mark.parametrize(
    ("overrides", "blamed"),
    [
        (("engine.part_size=[]", "depth.short_side=64"), "engine.part_size=[]"),
        (("engine.part_size=8", "engine.part_sizes=3"), "engine.part_sizes=3"),
        (
            ("resources.depth={gpus: 1, gpu_memory: 4}", "engine.part_size=8"),
            "resources.depth={gpus: 1, gpu_memory: 4}",
        ),
    ],
)
def test_of_several_overrides_the_wrong_one_is_blamed(overrides, blamed):
    with pytest.raises(UserError) as refused:
        with_overrides(load_recipe("embedded"), overrides)
    assert str(refused.value).startswith(f"--set {blamed}: ")


def run(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["vidal", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return stopped.value.code, capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["0", "--recipe", "nowhere"], "no recipe 'nowhere'"),
        (["0", "--set", "engine.part_sizes=3"], "engine.part_sizes: unknown key"),
        (["0", "--set", "engine.part_size=[]"], "engine.part_size"),
        (["7"], "shard 7 is out of range"),
        (["zero"], "give a number"),
        (["3-1"], "the range is empty"),
        (["0", "--stage", "dept"], "no stage 'dept'"),
        (["0", "--catalogue", "missing.csv"], "no such file"),
        (["0", "--catalogue", "clips.xls"], "must end in"),
        (["0", "--recipe", "catalogue"], "--catalogue FILE"),
        (["0", "--limit", "0"], "--limit"),
        (["0", "--set", "depth.model={adapter: transformers, id: /no/such/folder}"], "no such file or folder"),
        (["0", "--set", "depth.model={adapter: transformers}"], "no id"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2_and_touches_nothing(arguments, says, monkeypatch, capsys, tmp_path):
    out = tmp_path / "out"
    code, err = run(monkeypatch, capsys, "build-shard", *arguments, "--out", str(out))
    assert code == 2
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    "key", ["captions.prompt_keyframe", "captions.prompt_video", "captions.prompt_sound", "enhanced.prompt"]
)
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a clip by {uploader}", "unknown placeholder {uploader}; known are"),
        ("a {things", "write a literal brace twice"),
        (None, "no such file"),
    ],
)
def test_a_prompt_that_cannot_be_filled_is_told_before_any_work(key, text, says, monkeypatch, capsys, tmp_path):
    file, out = tmp_path / "mine.txt", tmp_path / "out"
    if text is not None:
        file.write_text(text)
    code, err = run(monkeypatch, capsys, "build-shard", "0", "--set", f"{key}={file}", "--out", str(out))
    assert code == 2
    assert says in err and len(err.strip().splitlines()) == 1
    assert not out.exists()


def test_an_out_that_cannot_be_written_is_refused(monkeypatch, capsys, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    code, err = run(monkeypatch, capsys, "build-shard", "0", "--out", str(blocked / "out"))
    assert code == 2 and "cannot be written" in err


def test_an_out_of_another_recipe_or_with_other_files_is_left_alone(monkeypatch, capsys, tmp_path):
    out = tmp_path / "photos"
    out.mkdir()
    (out / "holiday.jpg").write_bytes(b"mine")
    code, err = run(monkeypatch, capsys, "build-shard", "0", "--out", str(out))
    assert code == 2 and "is not a vidal dataset" in err
    assert [path.name for path in out.iterdir()] == ["holiday.jpg"]
    from vidal.dataset.dataset_file import claim
    from vidal.storage.storage import Storage

    other = tmp_path / "other"
    claim(Storage(str(other)), load_recipe("modern"))
    before = (other / "_dataset.json").read_bytes()
    code, err = run(monkeypatch, capsys, "build-shard", "0", "--recipe", "embedded", "--out", str(other))
    assert code == 2 and "was built with recipe modern, not recipe embedded" in err
    assert (other / "_dataset.json").read_bytes() == before


def test_plan_says_what_cannot_be_loaded_and_why():
    from vidal.dataset.plan import plan

    recipe = load_recipe("vidal10m", ("depth.model.id=/no/such/folder", "captions.video.id=/nor/this"))
    absent = {line.stage: line.absent for line in plan(recipe) if line.absent}
    assert "no such file or folder" in absent["depth"]
    assert "download sRGB-TIR's weights" in absent["infrared"]
    assert all(not line.absent for line in plan(load_recipe("embedded")))
