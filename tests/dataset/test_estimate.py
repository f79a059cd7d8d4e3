"""`vidal plan --clips`: the cost of many clips, scaled from what a dataset has cost."""

import json

import pytest

from tests.support.inline import vidal_inline
from vidal.config.loading import load_recipe
from vidal.dataset.estimate import Cluster, estimate, parse_clips, parse_cluster
from vidal.dataset.measured import measure, packaged
from vidal.errors import UserError
from vidal.storage import layout


@pytest.fixture(scope="module")
def measured(embedded):
    return measure(str(embedded))


def test_what_a_dataset_has_cost_is_read_from_its_ledgers_and_files(embedded, measured):
    files = [path for path in embedded.rglob("*") if path.is_file()]
    assert sum(measured.bytes_by_kind.values()) == sum(path.stat().st_size for path in files)
    assert sum(measured.objects_by_kind.values()) == len(files)
    assert {"video", "frames", "depth", "infrared", "audio", "manifests", "tables"} <= measured.bytes_by_kind.keys()
    crawl, depth = measured.stages["crawl"], measured.stages["depth"]
    assert crawl.records == measured.candidates == crawl.measured > measured.clips
    assert depth.models == ["encoder_decoder: embedded:depth"] and depth.cpu_s > 0
    assert all(cost.cpu_s > 0 for cost in measured.stages.values() if cost.measured)
    assert measured.requests.keys() == {"embedded.localhost"}


def test_costs_grow_with_the_clips_and_shrink_with_the_machines(measured):
    recipe = load_recipe("embedded")
    one, ten = (estimate(recipe, factor * measured.clips, measured, Cluster()) for factor in (1, 10))
    assert one.candidates == measured.candidates and ten.candidates == 10 * measured.candidates
    hours = {stage.stage: stage.cpu_hours for stage in one.stages}
    assert hours["depth"] == pytest.approx(measured.stages["depth"].cpu_s / 3600)
    assert [stage.cpu_hours for stage in ten.stages] == pytest.approx([10 * stage.cpu_hours for stage in one.stages])
    assert estimate(recipe, measured.clips, measured, Cluster(nodes=4, cpus=2)).cpu_days == pytest.approx(
        one.cpu_days / 4
    )
    assert one.bytes_by_kind == {kind: size for kind, size in sorted(measured.bytes_by_kind.items())}


def test_a_stage_with_another_model_is_not_estimated_and_says_so(measured):
    other = load_recipe("embedded", ("depth.model={adapter: transformers, id: some/depth, options: {kind: relative}}",))
    stages = {stage.stage: stage for stage in estimate(other, 100, measured, Cluster()).stages}
    assert stages["depth"].cpu_hours is None and stages["depth"].why_not == "not measured with transformers: some/depth"
    assert stages["infrared"].cpu_hours is not None


def test_the_rate_of_a_slow_host_is_named_as_the_bottleneck(measured):
    slow = load_recipe("embedded", ("crawl.hosts={embedded.localhost: {requests_per_s: 0.001}}",))
    costs = estimate(slow, 1_000_000, measured, Cluster(nodes=1000, cpus=64))
    assert costs.bottleneck.startswith("the request rate of embedded.localhost: ")
    assert costs.hosts[0].days == pytest.approx(costs.hosts[0].requests / 86.4)
    assert estimate(load_recipe("embedded"), 1000, measured, Cluster()).bottleneck.startswith("the CPUs: ")


@pytest.mark.parametrize(("text", "clips"), [("5000", 5000), ("300k", 300_000), ("10M", 10**7), ("1.5B", 15 * 10**8)])
def test_numbers_of_clips_have_suffixes(text, clips):
    assert parse_clips(text) == clips


@pytest.mark.parametrize("text", ["", "many", "-5", "0", "10X"])
def test_what_is_no_number_of_clips_is_refused(text):
    with pytest.raises(UserError, match="must be a number such as"):
        parse_clips(text)


def test_a_cluster_is_read_and_a_wrong_one_refused():
    assert parse_cluster("nodes=4,cpus=16,gpus=1") == Cluster(4, 16.0, 1.0) and parse_cluster("cpus=8") == Cluster(
        1, 8.0, 0.0
    )
    for wrong in ("4", "nodes=0", "nodes=x", "disks=4", "cpus=-1"):
        with pytest.raises(UserError, match="must look like nodes=4"):
            parse_cluster(wrong)


def test_the_command_prints_an_estimate_from_the_packaged_example_or_a_dataset(embedded):
    done = vidal_inline("plan", "--recipe", "embedded", "--clips", "10M", "--cluster", "nodes=4,cpus=16")
    assert done.returncode == 0, done.stderr
    assert f"10,000,000 clips, scaled from {packaged().where}" in done.stdout and "bottleneck: " in done.stdout
    done = vidal_inline("plan", "--recipe", "embedded", "--clips", "1k", "--measured-from", str(embedded), "--json")
    costs = json.loads(done.stdout.splitlines()[-1])["estimate"]
    assert costs["clips"] == 1000 and {stage["stage"] for stage in costs["stages"]} >= {"crawl", "depth", "manifest"}


def test_a_folder_that_is_not_a_dataset_is_refused_in_one_line(tmp_path):
    done = vidal_inline("plan", "--recipe", "embedded", "--clips", "1k", "--measured-from", str(tmp_path))
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("_media/shard-00000/abc/video.mp4", "video"),
        ("_media/shard-00000/abc/frames/3.jpg", "frames"),
        ("_media/shard-00000/part-00003.depth.tar", "depth"),
        ("_media/shard-00000/part-00003.depth.index.json", "depth"),
        ("shard-00000.parquet", "manifests"),
        ("_media/shard-00000.sha256", "tables"),
        ("_stages/crawl/shard-00000/part-00000.parquet", "tables"),
    ],
)
def test_every_file_of_a_dataset_has_a_kind(name, kind):
    assert layout.kind_of(name) == kind
