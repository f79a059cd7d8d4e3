"""The device that a model runs on."""

import torch

from vidal.models.device import choose_device


def test_fp32_is_not_tf32_on_a_gpu(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    assert choose_device("cuda:1") == "cuda:1"
    assert not torch.backends.cudnn.allow_tf32


def test_a_device_is_as_named_else_the_gpu_if_there_is_one(monkeypatch):
    assert choose_device("cpu") == "cpu"
    for present, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        assert choose_device() == choose_device("auto") == device
