"""The loss is the paper's, whole, in one process or several, in one step or many small ones."""

import math

import numpy as np
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn import functional as F

from vidal.train.accumulate import accumulated_backward
from vidal.train.loss import SIGLIP_BIAS, Temperature, build_loss, info_nce
from vidal.train.towers.patches import drop_patches

COUNT, WIDTH = 8, 6


def by_the_formula(x, y, scale):
    """Zhu et al. 2024, eq. 1, written out."""
    total = 0.0
    for a, b in ((x, y), (y, x)):
        for i in range(len(a)):
            others = [math.exp(scale * float(np.dot(a[i], b[j]))) for j in range(len(b))]
            total -= math.log(math.exp(scale * float(np.dot(a[i], b[i]))) / sum(others)) / len(a)
    return total / 2


def features(seed, count=COUNT, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(count, WIDTH, generator=generator, dtype=dtype), dim=-1)


@pytest.mark.parametrize("temperature", [0.01, 0.07, 1.0])
def test_the_loss_is_the_formula_in_double_precision(temperature):
    x, y = features(1), features(2)
    assert abs(info_nce(x, y, 1 / temperature).item() - by_the_formula(x.numpy(), y.numpy(), 1 / temperature)) < 1e-9


def test_the_temperature_starts_where_it_is_told_and_stops_at_a_hundredth():
    made = Temperature(0.07)
    assert made().item() == pytest.approx(1 / 0.07, rel=1e-6)
    made.log_scale.data += 10
    made.cap_()
    assert made().item() == pytest.approx(100, rel=1e-5)


class Tower(nn.Module):
    def __init__(self, dropout=0.0):
        super().__init__()
        torch.manual_seed(5)
        self.layers = nn.Sequential(nn.Linear(4, 10), nn.GELU(), nn.Dropout(dropout), nn.Linear(10, WIDTH))

    def forward(self, x):
        return self.layers(x)


KINDS = ("info_nce", "siglip")


def gradients(kind, rank, world):
    """Loss and gradients of this process's share of one batch, averaged over processes as DDP does."""
    pixels = torch.randn(COUNT, 4, generator=torch.Generator().manual_seed(9))
    texts = features(3, dtype=torch.float32)
    mine = slice(rank * COUNT // world, (rank + 1) * COUNT // world)
    tower, temperature = Tower(), Temperature(0.07, SIGLIP_BIAS if kind == "siglip" else None)
    loss = build_loss(kind, rank, world)(F.normalize(tower(pixels[mine]), dim=-1), texts[mine], temperature)
    loss.backward()
    found = [loss.detach(), *(weight.grad for weight in [*tower.parameters(), *temperature.parameters()])]
    if world > 1:
        for each in found:
            dist.all_reduce(each)
            each /= world
    return [each.numpy() for each in found]


def process(rank, world, queue, port):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=world)
    queue.put((rank, {kind: gradients(kind, rank, world) for kind in KINDS}))
    dist.destroy_process_group()


@pytest.mark.parametrize("world", [2, 4])
def test_processes_together_give_the_loss_and_gradients_of_one_with_the_whole_batch(world):
    import socket

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = mp.get_context("forkserver")  # It imports torch once for all of them.
    context.set_forkserver_preload([__name__])
    queue = context.Queue()
    processes = [context.Process(target=process, args=(rank, world, queue, port)) for rank in range(world)]
    for each in processes:
        each.start()
    shared = dict(queue.get(timeout=120) for _ in processes)
    for each in processes:
        each.join()
    for kind in KINDS:
        whole = gradients(kind, 0, 1)
        for rank in range(world):
            for one, other in zip(whole, shared[rank][kind], strict=True):
                np.testing.assert_allclose(other, one, atol=1e-5)


@pytest.mark.parametrize("parts", [2, 4, 8])
@pytest.mark.parametrize("kind", KINDS)
def test_small_steps_give_the_gradients_of_the_whole_batch(parts, kind):
    pixels, texts = torch.randn(COUNT, 4), features(3, dtype=torch.float32)
    found = []
    for chunks in (1, parts):
        tower, temperature = Tower(), Temperature(0.07, SIGLIP_BIAS if kind == "siglip" else None)
        loss = accumulated_backward(tower, list(pixels.chunk(chunks)), texts, build_loss(kind), temperature)
        found.append([loss, *(weight.grad for weight in [*tower.parameters(), *temperature.parameters()])])
    direct_tower, temperature = Tower(), Temperature(0.07, SIGLIP_BIAS if kind == "siglip" else None)
    loss = build_loss(kind)(F.normalize(direct_tower(pixels), dim=-1), texts, temperature)
    loss.backward()
    direct = [loss, *(weight.grad for weight in [*direct_tower.parameters(), *temperature.parameters()])]
    for one, small, plain in zip(*found, direct, strict=True):
        assert torch.allclose(one, small, atol=1e-6) and torch.allclose(one, plain, atol=1e-6)


def test_dropout_is_the_same_in_both_passes_of_a_small_step():
    """Else the gradient is of another network than the features: a directional derivative shows it."""
    pixels, texts = torch.randn(COUNT, 4), features(3, dtype=torch.float32)
    tower, temperature = Tower(dropout=0.5), Temperature(0.07)
    torch.manual_seed(11)
    accumulated_backward(tower, list(pixels.chunk(2)), texts, build_loss("info_nce"), temperature)

    def loss():
        torch.manual_seed(11)
        seen = torch.cat([tower(chunk) for chunk in pixels.chunk(2)])
        return build_loss("info_nce")(F.normalize(seen, dim=-1), texts, temperature)

    expected = torch.autograd.grad(loss(), list(tower.parameters()))
    assert all(torch.allclose(w.grad, e, atol=1e-6) for w, e in zip(tower.parameters(), expected, strict=True))


def test_patch_dropout_keeps_the_class_token_and_the_same_patches_in_all_frames_of_a_clip():
    frames, count = 3, 20
    tokens = torch.arange(count + 1.0).expand(2 * frames, -1)[:, :, None].clone()
    patches = drop_patches(tokens, 0.3, frames)[:, :, 0].reshape(2, frames, -1)
    assert patches.shape[2] == 1 + 14 and (patches[:, :, 0] == 0).all()
    assert (patches == patches[:, :1]).all() and not torch.equal(patches[0, 0], patches[1, 0])
    assert all(len(set(clip[0].tolist())) == 15 for clip in patches)
