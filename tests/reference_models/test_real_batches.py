from __future__ import annotations

import pytest
import torch
from small_runs import Info, Pictures

from gandiag import Latent, UsageError
from reference_models.training import seeds
from reference_models.training.data import Batches, to_range

CPU = torch.device("cpu")


class Numbers:
    """Point i is (i,)."""

    def __init__(self, size):
        self.info = Info("numbers", (1,), size)

    def read(self, start, stop):
        return torch.arange(start, stop, dtype=torch.float32).unsqueeze(1)


def test_an_epoch_takes_each_sample_at_most_once_and_epochs_differ():
    batches = Batches(Numbers(10), 3, seed=0, device=CPU)
    epochs = [[batches(3 * epoch + place) for place in range(3)] for epoch in range(4)]
    flat = [torch.cat(epoch).flatten().int().tolist() for epoch in epochs]
    assert all(len(set(numbers)) == 9 and set(numbers) <= set(range(10)) for numbers in flat)
    assert len({tuple(numbers) for numbers in flat}) == 4


def test_a_batch_does_not_depend_on_what_was_read_before():
    one, other = (Batches(Numbers(10), 3, seed=5, device=CPU) for _ in range(2))
    forwards = {number: one(number) for number in range(9)}
    for number in (8, 0, 4, 3):
        assert torch.equal(other(number), forwards[number])
    assert not torch.equal(Batches(Numbers(1000), 3, seed=6, device=CPU)(0), Batches(Numbers(1000), 3, 5, CPU)(0))


def test_endless_data_are_read_in_order():
    batches = Batches(Numbers(None), 4, seed=0, device=CPU)
    assert batches(2).flatten().tolist() == [8, 9, 10, 11]


def test_too_few_samples_are_told():
    with pytest.raises(UsageError, match="3 samples, less than one batch of 4"):
        Batches(Numbers(3), 4, seed=0, device=CPU)


def test_bytes_span_minus_one_to_one():
    assert to_range(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1)).flatten().tolist() == [-1.0, 1.0]
    assert to_range(Pictures(2, channels=3).read(0, 2)).is_contiguous(memory_format=torch.channels_last)
    assert to_range(torch.tensor([[300.0]])).item() == 300


def test_noise_has_its_distribution_and_depends_on_seed_and_purpose():
    normal = seeds.noise(Latent(50), 400, 0, "a", 1)
    uniform = seeds.noise(Latent(50, "uniform"), 400, 0, "a", 1)
    assert normal.mean().abs() < 4 / 20000**0.5
    assert normal.var().item() == pytest.approx(1, abs=4 * (2 / 20000) ** 0.5)
    assert uniform.abs().max() <= 1
    assert uniform.var().item() == pytest.approx(1 / 3, abs=0.01)
    assert torch.equal(normal, seeds.noise(Latent(50), 400, 0, "a", 1))
    for other in (seeds.noise(Latent(50), 400, 1, "a", 1), seeds.noise(Latent(50), 400, 0, "b", 1)):
        assert not torch.equal(normal, other)
