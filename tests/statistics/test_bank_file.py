from __future__ import annotations

import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.statistics.bank_file import bank_from, bank_tensors, moments_from, moments_tensors
from gandiag.statistics.cache import Cache
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.grouped_moments import GroupedMoments, MomentsAccumulator, grouped_moments
from gandiag.statistics.moments import Moments
from gandiag.statistics.rows import Rows


def accumulated(features, total):
    accumulator = MomentsAccumulator(total)
    accumulator.add(features, 0)
    return accumulator.result()


def same_moments(one, other):
    assert one.count == other.count
    assert one.from_rows is other.from_rows
    for name in ("rows", "lowest", "highest"):
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None and theirs is None) or torch.equal(mine, theirs), name
    for mine, theirs in zip(one.groups, other.groups, strict=True):
        assert mine.count == theirs.count
        assert torch.equal(mine.mean, theirs.mean)
        assert torch.equal(mine.scatter, theirs.scatter)


@pytest.mark.parametrize("count", [5, 40, 9000])
def test_moments_come_back_bit_for_bit(normal, count):
    moments = grouped_moments(normal(count, 6, dtype=torch.float32))
    assert moments.from_rows is (count <= 8192)
    same_moments(moments_from("m", moments_tensors("m", moments)), moments)


def test_half_of_a_symmetric_scatter_is_stored(normal):
    rows = normal(3, 5)
    scatter = rows.T @ rows
    symmetric = (scatter + scatter.T) / 2
    for matrix, size in ((symmetric, 15), (symmetric.triu(), 25)):
        groups = [Moments(4, rows[0], matrix), Moments(6, rows[1], matrix * 2)]
        moments = GroupedMoments(count=10, rows=rows, lowest=None, highest=None, groups=groups)
        tensors = moments_tensors("m", moments)
        assert tensors["m.groups.scatter"].numel() == 2 * size
        same_moments(moments_from("m", tensors), moments)


def test_an_unknown_count_stays_unknown(normal):
    whole = Moments(5, normal(4), torch.eye(4, dtype=torch.float64))
    moments = GroupedMoments(count=None, rows=torch.empty(0, 4), lowest=None, highest=None, groups=[whole])
    same_moments(moments_from("m", moments_tensors("m", moments)), moments)


def test_a_bank_comes_back_through_the_cache(tmp_path, normal):
    features = Rows()
    features.append(normal(30, 4, dtype=torch.float32))
    bank = FeatureBank(
        features=features,
        logits=normal(30, 2, 3, dtype=torch.float32),
        moments=accumulated(normal(9000, 4, dtype=torch.float32), 9000),
        spatial_moments=grouped_moments(normal(30, 7, dtype=torch.float32)),
        images=torch.arange(30 * 12).reshape(30, 3, 2, 2).to(torch.uint8),
        labels=torch.arange(30),
        paths=normal(12),
    )
    cache = Cache(tmp_path, warn=pytest.fail)
    cache.store({"a": 1}, bank_tensors(bank))
    found = bank_from(cache.load({"a": 1}).tensors)
    assert torch.equal(found.features.tensor(), bank.features.tensor())
    for name in ("logits", "images", "labels", "paths"):
        assert torch.equal(getattr(found, name), getattr(bank, name)), name
    same_moments(found.moments, bank.moments)
    same_moments(found.spatial_moments, bank.spatial_moments)


def test_what_a_bank_lacks_it_lacks_after(normal):
    bank = bank_from(bank_tensors(FeatureBank(labels=torch.arange(3))))
    assert bank.labels.tolist() == [0, 1, 2]
    assert bank.features is bank.logits is bank.moments is bank.spatial_moments is bank.images is bank.paths is None


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("groups.mean", torch.zeros(4, 3)),
        ("groups.scatter", torch.zeros(4, 5)),
        ("groups.count", torch.zeros(3)),
        ("groups.scatter", torch.full((4, 10), float("nan"))),
        ("rows", torch.zeros(8)),
    ],
)
def test_what_does_not_fit_is_refused(normal, name, values):
    moments = grouped_moments(normal(30, 4))
    symmetric = [Moments(part.count, part.mean, part.scatter + part.scatter.T) for part in moments.groups[:4]]
    grouped = GroupedMoments(count=30, rows=moments.rows, lowest=None, highest=None, groups=symmetric)
    tensors = {**moments_tensors("m", grouped), f"m.{name}": values}
    with pytest.raises(InputError):
        moments_from("m", tensors)
