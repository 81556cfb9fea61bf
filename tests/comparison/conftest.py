from __future__ import annotations

import numpy as np
import pytest

from gandiag import Result, measured
from gandiag.core.fingerprint import fingerprint
from gandiag.statistics.pairing import influence_pairing

COUNT = 2000


@pytest.fixture
def noise():
    """Influence of samples that all models share."""
    return np.random.default_rng(0).standard_normal(COUNT)


@pytest.fixture
def result(noise):
    """A Result whose scores have the given values, all with the same noise but for a share of their own."""

    def make(name: str = "model", *, own: float = 0.1, n_fake: int = COUNT, step: int | None = None, **values: float):
        mine = np.random.default_rng(list(f"{name}{step}".encode())).standard_normal(COUNT)
        influence = noise + own * mine
        scores = {}
        for score, value in values.items():
            better = "lower" if score in ("fid", "kid") else "higher"
            scores[score] = measured(
                value,
                stderr=float(influence.std()) / COUNT**0.5,
                error_method="influence",
                better=better,
                n_real=COUNT,
                n_fake=n_fake,
                details=influence_pairing(fake=influence, n_fake=COUNT),
            )
            digest = fingerprint({"score": score, "n_fake": n_fake})
            object.__setattr__(scores[score], "fingerprint", digest)
        return Result(
            created="2026-01-01T00:00:00+00:00",
            source={
                "name": name,
                "kind": "checkpoint",
                "path": name,
                "sha256": "0" * 64,
                "weights": None,
                "step": step,
            },
            reference={"name": "mnist", "sha256": "1" * 64, "samples": COUNT},
            protocol={"samples": n_fake, "seed": 0, "precision": "fp32", "quantisation": "uint8", "extractors": {}},
            scores=scores,
        )

    return make
