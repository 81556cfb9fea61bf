from __future__ import annotations

import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.core.protocols import Extracted, ExtractorInfo, SourceInfo
from gandiag.evaluation.extract import Task, extract
from gandiag.sources.arrays import tensor_source
from gandiag.statistics.feature_bank import features_of


class Halving:
    """Runs out of memory above a batch size."""

    info = ExtractorInfo("halving", None, "none", frozenset({"features"}))

    def __init__(self, most, error=torch.OutOfMemoryError):
        self.most, self.error, self.sizes = most, error, []

    def __call__(self, samples):
        self.sizes.append(len(samples))
        if len(samples) > self.most:
            raise self.error("CUDA out of memory. Tried to allocate")
        return Extracted(samples.float())


def points(count=100):
    return tensor_source(torch.randn(count, 3, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_batches_are_halved_until_they_fit_and_nothing_is_lost(error):
    extractor, warnings = Halving(7, error), []
    bank = extract(points(), {"x": Task(extractor, {"features": 100})}, 100, batch_size=64, warn=warnings.append)["x"]
    assert torch.equal(features_of(bank), points().read(0, 100))
    assert max(extractor.sizes[4:]) == 4
    assert [warning.split()[-1] for warning in warnings] == ["32", "16", "8", "4"]


def test_no_batch_fits():
    with pytest.raises(InputError, match="does not hold one sample"):
        extract(points(), {"x": Task(Halving(0), {"features": 100})}, 100, batch_size=2)


def test_another_error_of_the_extractor_is_not_taken_for_memory():
    with pytest.raises(RuntimeError, match="shapes"):
        extract(points(), {"x": Task(Broken(), {"features": 100})}, 100)


class Broken(Halving):
    def __init__(self):
        super().__init__(0)

    def __call__(self, samples):
        raise RuntimeError("the shapes do not fit")


def test_samples_that_nobody_wants_are_not_looked_at():
    extractor = Halving(100)
    bank = extract(points(), {"x": Task(extractor, {"features": 30, "images": 100})}, 100, batch_size=20)["x"]
    assert sum(extractor.sizes) == 40
    assert len(features_of(bank)) == 30
    assert len(bank.images) == 100


def test_one_read_serves_all_tasks():
    class Counted:
        info = SourceInfo("counted", "array", (3,), "none", 100)
        reads = 0

        def read(self, start, stop):
            Counted.reads += stop - start
            return points().read(0, 100)[start:stop]

    tasks = {name: Task(Halving(100), {"features": 100, "moments": 100}) for name in "ab"}
    banks = extract(Counted(), tasks, 100, batch_size=30)
    assert Counted.reads == 100
    assert torch.equal(features_of(banks["a"]), features_of(banks["b"]))
    assert banks["a"].moments.count == 100


def test_constant_samples_are_refused():
    source = tensor_source(torch.ones(20, 3))
    with pytest.raises(InputError, match="are the same"):
        extract(source, {"x": Task(Halving(100), {"features": 20})}, 20)
