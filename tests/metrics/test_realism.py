from __future__ import annotations

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError
from gandiag.metrics.precision_recall import precision_recall
from gandiag.metrics.realism import HIGHEST, realism


def score(real, fake, **options):
    return realism(real=real, fake=fake, rng=np.random.default_rng(0), **options)["realism"]


def by_definition(real, fake, k=3):
    radii = torch.cdist(real, real, compute_mode="donot_use_mm_for_euclid_dist").sort(dim=1).values[:, k]
    kept = radii <= radii.median()
    distances = torch.cdist(fake, real[kept], compute_mode="donot_use_mm_for_euclid_dist")
    return (radii[kept] / distances).amax(dim=1)


def test_it_is_the_papers_formula(normal):
    real, fake = normal(151, 4), normal(90, 4) + 0.5
    expected = by_definition(real, fake)
    found = score(real, fake)
    assert found.value == pytest.approx(float(expected.quantile(0.5)), rel=1e-9)
    worst, best = found.details["worst"], found.details["best"]
    assert [each["fake"] for each in worst] == expected.argsort()[:64].tolist()
    assert best[0]["realism"] == pytest.approx(float(expected.max()), rel=1e-9)
    assert found.details["share_inside"] == pytest.approx(float((expected >= 1).double().mean()))


def test_it_is_precision_with_fewer_balls(normal):
    real, fake = normal(300, 4), normal(300, 4)
    precision = precision_recall(real=real, fake=fake, halves=0)["precision"].value
    assert 0.5 * precision < score(real, fake).details["share_inside"] <= precision


def test_far_fakes_are_less_real_and_those_in_the_middle_more(normal):
    real, fake = normal(300, 4), normal(200, 4)
    assert score(real, fake + 3).value < score(real, fake).value < score(real, 0.1 * fake).value


def test_copies_are_the_best_and_finite(normal):
    real, fake = normal(100, 4, dtype=torch.float32), normal(50, 4, dtype=torch.float32)
    narrow = int((real - real.mean(dim=0)).square().sum(dim=1).argmin())
    fake[7] = real[narrow]
    found = score(real, fake)
    assert found.details["best"][0] == {"fake": 7, "realism": HIGHEST}
    assert score(real, real.clone()).value > 1


def test_the_interval_covers_the_expectation():
    generator = torch.Generator().manual_seed(3)

    def draw(halves):
        real, fake = (torch.randn(200, 4, generator=generator) for _ in range(2))
        return score(real, 1.3 * fake, halves=halves)

    expectation = np.mean([draw(0).value for _ in range(150)])
    covered = sum(low <= expectation <= high for low, high in (draw(20).ci95 for _ in range(80)))
    assert covered >= 69


def test_the_order_does_not_matter(normal):
    real, fake = normal(80, 4), normal(70, 4)
    assert score(real.flip(0), fake.flip(0)).value == pytest.approx(score(real, fake).value, rel=1e-9)
    assert score(real, fake) == score(real, fake)


def test_constant_features_are_at_the_radius():
    assert score(torch.ones(30, 4), torch.ones(20, 4)).value == 1
    assert score(torch.ones(30, 4), torch.zeros(20, 4)).value == 0


@pytest.mark.parametrize(("reals", "fakes"), [(3, 9), (0, 9), (9, 0)])
def test_too_few_samples_are_undefined(normal, reals, fakes):
    assert score(normal(reals, 3), normal(fakes, 3)).status == "undefined"


def test_a_few_samples_have_no_error_bar(normal):
    assert score(normal(6, 3), normal(6, 3)).error_method.startswith("none")


def test_features_of_two_widths_are_an_input_error(normal):
    with pytest.raises(InputError, match="4 dimensions and fake ones 3"):
        score(normal(9, 4), normal(9, 3))
