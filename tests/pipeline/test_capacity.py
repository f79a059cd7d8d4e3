"""Whether the pools of a recipe fit a cluster at once, and how they are grouped where they do not."""

import pytest

from tests.support.stages_for_tests import BUGGY, COUNTED, FIRST
from vidal.errors import UserError
from vidal.pipeline.executors.capacity import Node, Request, Room
from vidal.pipeline.executors.pools import PoolSpec, grouped_to_fit
from vidal.pipeline.settings import Resources


def pool(stage, cpus=0.1, gpus=0.0, workers=1):
    return PoolSpec((stage,), Resources(cpus=cpus, workers=(workers, workers)), gpus)


def names(groups):
    return [[spec.stages[0].name for spec in group] for group in groups]


def test_what_fits_runs_at_once():
    specs = [pool(FIRST, gpus=0.5), pool(BUGGY, gpus=0.5), pool(COUNTED)]
    assert names(grouped_to_fit(specs, [Node(2.0, 1)])) == [["first", "buggy", "counted"]]


def test_stages_that_need_more_gpus_than_there_are_run_in_phases():
    specs = [pool(FIRST, gpus=0.8), pool(BUGGY, gpus=1.0), pool(COUNTED, gpus=0.5)]
    assert names(grouped_to_fit(specs, [Node(2.0, 1)])) == [["first"], ["buggy"], ["counted"]]
    assert names(grouped_to_fit(specs, [Node(2.0, 2)])) == [["first", "buggy"], ["counted"]]


def test_a_fraction_of_a_gpu_lies_on_one_gpu():
    """Three workers of 0.6 add up to 1.8 GPUs, and do not fit on two."""
    assert not Room([Node(8.0, 2)]).place([Request(1.0, 0.6)] * 3)
    assert Room([Node(8.0, 3)]).place([Request(1.0, 0.6)] * 3)
    assert Room([Node(8.0, 2)]).place([Request(1.0, 2.0)]) and not Room([Node(8.0, 1)] * 2).place([Request(1.0, 2.0)])


def test_cpus_are_counted_on_each_node():
    assert Room([Node(2.0, 0), Node(2.0, 0)]).place([Request(1.5, 0.0)] * 2)
    assert not Room([Node(2.0, 0), Node(2.0, 0)]).place([Request(1.5, 0.0)] * 3)
    assert not Room([Node(2.0, 0), Node(2.0, 0)]).place([Request(3.0, 0.0)])


def test_a_stage_that_never_fits_is_refused_by_name():
    with pytest.raises(UserError, match=r"resources\.first: a worker with 0\.1 CPUs and 2 GPUs does not fit"):
        grouped_to_fit([pool(FIRST, gpus=2.0)], [Node(4.0, 1)])
    with pytest.raises(
        UserError,
        match=r"resources\.buggy: 3 workers with 1 CPUs each do not fit, because the cluster has one node with 2 CPUs",
    ):
        grouped_to_fit([pool(FIRST), pool(BUGGY, cpus=1.0, workers=3)], [Node(2.0, 0)])
