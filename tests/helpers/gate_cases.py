"""Results and policies by hand, for the tests of gates."""

from __future__ import annotations

from typing import Any

from gandiag.core.result import Result
from gandiag.core.score import NORMAL_95, Better, Score
from gandiag.gates.policy import Policy

SAMPLES = 1000


def made_score(
    value: float | None,
    stderr: float | None = 0.1,
    *,
    better: Better | None = "lower",
    unreliable: str | None = None,
    interval: tuple[float, float] | None = None,
    samples: int = SAMPLES,
    fingerprint: str | None = "f" * 64,
    extractor: str | None = "pixels",
    **more: Any,
) -> Score:
    """A score with the normal interval; undefined without a value."""
    if interval is None and value is not None and stderr is not None:
        interval = (value - NORMAL_95 * stderr, value + NORMAL_95 * stderr)
    return Score(
        value=value,
        status="undefined" if value is None else "unreliable" if unreliable else "ok",
        reason="nothing to measure" if value is None else unreliable,
        stderr=None if value is None else stderr,
        ci95=None if value is None else interval,
        error_method="made" if stderr is not None else "none: made so",
        better=better,
        n_real=samples,
        n_fake=samples,
        extractor=extractor,
        fingerprint=fingerprint,
        **more,
    )


def made_result(samples: int = SAMPLES, name: str = "model.pt", reference: str = "ring8", **scores: Score) -> Result:
    """A Result of these scores; `__` in a name stands for `@`."""
    return Result(
        created="2026-01-02T03:04:05+00:00",
        source={"name": name, "kind": "checkpoint", "path": None, "sha256": "a" * 64, "weights": None},
        reference={"name": reference, "sha256": "b" * 64, "samples": samples},
        protocol={"samples": samples, "seed": 0, "precision": "fp32", "quantisation": "none", "extractors": {}},
        scores={key.replace("__", "@"): score for key, score in scores.items()},
    )


def made_policy(*gates: str, top: str = "") -> Policy:
    """A policy of gates, each the TOML lines of one."""
    return Policy.from_toml(top + "\n" + "\n".join(f"[[gate]]\n{gate}" for gate in gates))
