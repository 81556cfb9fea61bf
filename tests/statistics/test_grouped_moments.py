from __future__ import annotations

import pytest
import torch

from gandiag.statistics import grouped_moments as module
from gandiag.statistics.feature_bank import FeatureBank, moments_of
from gandiag.statistics.frechet import frechet_distance_of_features, frechet_distance_of_grouped
from gandiag.statistics.grouped_moments import (
    MomentsAccumulator,
    group_count,
    group_of,
    grouped_moments,
    merge_grouped,
)
from gandiag.statistics.moments import merge, moments


def accumulated(features, sizes):
    accumulator, start = MomentsAccumulator(len(features)), 0
    while start < len(features):
        size = next(sizes)
        accumulator.add(features[start : start + size], start)
        start += size
    return accumulator.result()


def forever(*sizes):
    while True:
        yield from sizes


@pytest.fixture
def small_buffers(monkeypatch):
    monkeypatch.setattr(module, "ROWS", 64)
    monkeypatch.setattr(module, "BUFFER", 50)


def test_the_whole_is_what_all_rows_give_and_batches_do_not_matter(normal, small_buffers):
    rows = 1000 + normal(500, 6)
    direct, pieces = moments(rows), accumulated(rows, forever(7, 31))
    assert pieces.count == direct.count == 500
    torch.testing.assert_close(pieces.whole.mean, direct.mean, rtol=1e-12, atol=0)
    torch.testing.assert_close(pieces.whole.scatter, direct.scatter, rtol=1e-9, atol=1e-9)
    for one, other in zip(pieces.groups, accumulated(rows, forever(500)).groups, strict=True):
        assert one.count == other.count
        torch.testing.assert_close(one.scatter, other.scatter, rtol=1e-9, atol=1e-9)


def test_groups_depend_on_the_index_alone_and_are_of_one_size():
    everyone = group_of(0, 1000, 16)
    assert torch.equal(everyone[333:777], group_of(333, 777, 16))
    for stop in (16, 100, 1000):
        counts = torch.bincount(everyone[:stop], minlength=16)
        assert counts.max() - counts.min() <= 1
    # Labels that come in turns are not sorted into groups.
    assert len(set(everyone[::16].tolist())) > 10


def test_halves_are_disjoint_and_complete_and_the_splits_are_orthogonal(normal, small_buffers):
    for count in (60, 400):
        rows = normal(count, 3)
        grouped = grouped_moments(rows)
        sides = []
        for split in range(1, grouped.group_count):
            one, other = grouped.halves(split, grouped.group_count)
            together = merge([one.whole, other.whole])
            assert one.count + other.count == count
            assert abs(one.count - other.count) <= grouped.group_count
            torch.testing.assert_close(together.scatter, moments(rows).scatter, rtol=1e-9, atol=1e-9)
            sides.append([(group & split).bit_count() % 2 for group in range(grouped.group_count)])
        signs = 1 - 2 * torch.tensor(sides)
        assert torch.equal(signs @ signs.T, grouped.group_count * torch.eye(len(signs), dtype=torch.int64))


def test_parts_merge_into_the_whole(normal, small_buffers):
    rows = normal(300, 4)
    parts = []
    for start, stop in ((0, 128), (128, 300)):
        accumulator = MomentsAccumulator(300)
        accumulator.add(rows[start:stop], start)
        parts.append(accumulator.result())
    merged, direct = merge_grouped(parts), grouped_moments(rows)
    assert merged.count == 300
    assert torch.equal(merged.rows, direct.rows)
    assert torch.equal(merged.lowest, rows.amin(dim=0))
    for one, other in zip(merged.groups, direct.groups, strict=True):
        torch.testing.assert_close(one.scatter, other.scatter, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("count_real", "count_fake"), [(300, 200), (300, 40), (40, 300), (40, 30)])
def test_the_distance_does_not_depend_on_how_moments_were_kept(normal, small_buffers, count_real, count_fake):
    real, fake = normal(count_real, 48), 1.2 * normal(count_fake, 48) + 0.1
    expected = frechet_distance_of_features(real=real, fake=fake)
    found = frechet_distance_of_grouped(real=grouped_moments(real), fake=grouped_moments(fake))
    assert found.distance == pytest.approx(expected.distance, rel=1e-9)
    assert found.rank_deficient == expected.rank_deficient


def test_covariances_over_n_are_those_of_numpy(normal, small_buffers):
    for count in (60, 300):
        rows = normal(count, 3)
        expected = torch.cov(rows.double().T, correction=0)
        torch.testing.assert_close(grouped_moments(rows).biased().whole.covariance, expected, rtol=1e-9, atol=1e-12)


def test_a_bank_of_features_has_their_moments(normal):
    rows = normal(100, 3)
    torch.testing.assert_close(moments_of(FeatureBank(features=rows)).whole.mean, rows.double().mean(dim=0))


@pytest.mark.parametrize(("samples", "groups"), [(3, 1), (8, 2), (63, 8), (64, 16), (10_000, 16)])
def test_small_sets_have_few_groups(samples, groups):
    assert group_count(10, samples) == groups
