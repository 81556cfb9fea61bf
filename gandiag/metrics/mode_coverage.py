"""Mode coverage: which modes of the reference the samples reach, and how evenly.

For class modes each sample counts for the most likely class of each channel, whatever its confidence, and `mode_kl` is
KL(fake || uniform) in nats: the protocol of VEEGAN (Srivastava et al., 2017, arXiv 1705.07761) and PacGAN (Lin et
al., 2018, arXiv 1712.04086). For mixtures a sample counts for the nearest centre if it is of high quality: within 3
standard deviations in the plane, and within the radius of equal probability in other dimensions.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.core.modes import ClassModes, MixtureModes, Modes
from gandiag.core.score import NORMAL_95, Better, Score, measured, undefined
from gandiag.metrics._metric import Metric
from gandiag.statistics import histogram
from gandiag.statistics.feature_bank import FeatureBank, features_of, logit_blocks, logit_shape
from gandiag.statistics.intervals import share_interval
from gandiag.statistics.pairing import influence_pairing
from gandiag.statistics.posterior import joint_argmax

ALIASES = ("modes",)

ROBUST_COUNT = 5  # samples that a mode needs in `modes_at_5`: one misclassified sample makes no mode
SURE = 0.9  # confidence below which a sample counts as one that the classifier is unsure of
SPARSE = 10  # samples a mode below which the correction of the bias is a guess
SCORES: dict[str, Better | None] = {
    "modes": "higher",
    "modes_at_5": "higher",
    "mode_kl": "lower",
    "mode_kl_excess": "lower",
    "effective_modes": "higher",
    "high_quality": "higher",
}


def mode_coverage(
    *,
    fake: FeatureBank | Tensor,
    real: FeatureBank | None = None,
    modes: Modes | None = None,
    rng: np.random.Generator | None = None,
) -> dict[str, Score]:
    """Modes that the samples reach.

    Args:
        fake: logits (n, classes) or (n, groups, classes) for class modes; features (n, d) for mixtures, as a bank.
        real: the reference, for its `modes`.
        modes: what the modes are, if not from `real`; uniform class modes of the logits' own shape if from neither.
        rng: not used; nothing is drawn.

    Returns:
        `modes`: modes with one sample or more, the papers' count; `modes_at_5`: with five or more, robust to errors
        of the classifier. `mode_kl`: KL(fake || uniform), from ln(K / modes) to ln K, biased upward by about K / 2N.
        `mode_kl_excess`: what is left of it over the floor, the exact expectation for a perfect generator with this N
        and the real class frequencies; where the samples reach fewer modes, their own smaller bias takes the place of
        the floor's. Its expectation is KL(p_fake || uniform) - KL(p_real || uniform) of the populations.
        `effective_modes`: exp(entropy) = K exp(-KL). `high_quality`: for mixtures, the share of samples near a centre.

    Raises:
        InputError: the bank lacks the logits or features that the modes need, or their shapes differ.
    """
    modes = modes or (real.modes if real is not None else None)
    if isinstance(modes, MixtureModes):
        return _of_mixture(features_of(fake), modes)
    samples, channels, classes = logit_shape(fake)
    if modes is None:
        modes = ClassModes(np.full(classes, 1 / classes), channels=channels)
    if (channels, classes) != (modes.channels, len(modes.frequencies)):
        expected = f"{modes.channels} channels of {len(modes.frequencies)} classes"
        raise InputError(f"logits of shape {(samples, channels, classes)} do not fit modes that are {expected}")
    assigned, confidence, unsure = [], 0.0, 0
    for logits in logit_blocks(fake):
        assigned.append(joint_argmax(logits).cpu())
        top = logits.double().softmax(dim=2).amax(dim=2)
        confidence += float(top.sum()) / channels
        unsure += int((top.amin(dim=1) < SURE).sum())
    details = {
        "mean_confidence": confidence / samples if samples else None,
        "low_confidence": unsure / samples if samples else None,
    }
    found = torch.cat(assigned).numpy() if assigned else np.zeros(0, dtype=np.int64)
    return _scores(found, modes, details)


def _of_mixture(points: Tensor, modes: MixtureModes) -> dict[str, Score]:
    from scipy.stats import chi2

    dimension = modes.centres.shape[1]
    if points.shape[1] != dimension:
        raise InputError(f"points of {points.shape[1]} coordinates do not fit a mixture in {dimension} dimensions")
    # Differences, not an expansion: the distances are small beside the coordinates.
    offsets = points.double()[:, None, :] - torch.from_numpy(modes.centres).to(points.device)
    distance, nearest = offsets.square().sum(dim=2).min(dim=1)
    # The probability of three standard deviations in the plane, at the same probability in other dimensions.
    limit = 9.0 if dimension == 2 else float(chi2.ppf(1 - math.exp(-4.5), dimension))
    good = distance <= limit * modes.deviation**2
    assigned = torch.where(good, nearest, histogram.NOWHERE).cpu().numpy()
    scores = _scores(assigned, modes, {"limit_in_deviations": math.sqrt(limit)})
    scores["high_quality"] = _share(good.cpu().numpy(), 1 - math.exp(-4.5))
    return scores


def _scores(assigned: histogram.Counts, modes: Modes, details: dict[str, Any]) -> dict[str, Score]:
    """All but `high_quality`, from the mode that each sample is in; `NOWHERE` for those in none."""
    samples, counts = len(assigned), histogram.mode_counts(assigned, modes.count)
    counted, reached, total = int(counts.sum()), int((counts > 0).sum()), modes.count
    params: dict[str, dict[str, Any]] = {
        "modes": {"total": total, "minimum_count": 1},
        "modes_at_5": {"total": total, "minimum_count": ROBUST_COUNT},
        "mode_kl": {"direction": "fake || uniform", "log": "natural"},
        "mode_kl_excess": {"direction": "fake || uniform", "log": "natural"},
        "effective_modes": {"total": total},
    }

    def unknown(name: str, reason: str) -> Score:
        return undefined(reason, better=SCORES[name], n_real=None, n_fake=samples, params=params[name])

    if samples == 0:
        return {name: unknown(name, "there are no samples") for name in params}
    sparse = None
    if counted < SPARSE * reached:
        sparse = f"{counted} samples are fewer than {SPARSE} for each of {reached} modes, and more modes may be found"

    def count(name: str, at_least: int, shown: dict[str, Any]) -> Score:
        critical = histogram.count_influence(assigned, counts, at_least)
        return measured(
            float((counts >= at_least).sum()),
            stderr=histogram.count_stderr(counts, at_least) if counted else 0.0,
            error_method="jackknife",
            better="higher",
            n_real=None,
            n_fake=samples,
            limits=(0.0, float(total)),
            unreliable=sparse,
            params=params[name],
            details={**shown, **influence_pairing(fake=critical, n_fake=samples)},
        )

    missing = [modes.name(int(index)) for index in np.flatnonzero(counts == 0)]
    scores = {
        "modes": count("modes", 1, {**details, "missing": missing, "counted": counted, "counts": counts.tolist()}),
        "modes_at_5": count("modes_at_5", ROBUST_COUNT, {}),
    }
    if counted == 0:
        reason = "no sample is near a mode"
        return scores | {name: unknown(name, reason) for name in params if name not in scores}
    divergence = histogram.divergence_from_uniform(counts / counted)
    histogram.check_divergence(divergence, counts)
    probabilities = modes.probabilities()
    floor = histogram.sampled_divergence(counted, probabilities)
    population = histogram.population_divergence(counts, probabilities)
    real = histogram.divergence_from_uniform(probabilities)
    below, above = (end - population.divergence for end in population.ci95)
    effective = total * math.exp(-divergence)
    influence = histogram.divergence_influence(assigned, counts)
    halves = histogram.half_divergences(assigned, total)

    def paired(scale: float) -> dict[str, Any]:
        return influence_pairing(fake=scale * influence, n_fake=samples, second=scale * halves)

    def divergent(name: str, value: float, limits: tuple[float, float], unreliable: str | None) -> Score:
        return measured(
            value,
            stderr=population.stderr,
            error_method="influence",
            better="lower",
            n_real=None,
            n_fake=samples,
            limits=limits,
            interval=(value + below, value + above),
            unreliable=unreliable,
            params=params[name],
            details={"floor": floor.mean, "floor_deviation": floor.deviation, **paired(1.0)},
        )

    return scores | {
        "mode_kl": divergent("mode_kl", divergence, (0.0, math.log(total)), None),
        "mode_kl_excess": divergent("mode_kl_excess", population.divergence - real, (-math.inf, math.inf), sparse),
        "effective_modes": measured(
            effective,
            stderr=effective * population.stderr,
            error_method="influence",
            better="higher",
            n_real=None,
            n_fake=samples,
            limits=(1.0, float(total)),
            interval=(effective * math.exp(-above), effective * math.exp(-below)),
            params=params["effective_modes"],
            details=paired(effective),
        ),
    }


def _share(good: npt.NDArray[np.bool_], perfect: float) -> Score:
    """Share of high-quality samples with the Wilson interval."""
    samples = len(good)
    if samples == 0:
        return undefined("there are no samples", better="higher", n_real=None, n_fake=0)
    share = float(good.sum()) / samples
    low, high = share_interval(share, samples)
    return Score(
        value=share,
        status="ok",
        reason=None,
        stderr=(high - low) / (2 * NORMAL_95),
        ci95=(low, high),
        error_method="Wilson",
        better="higher",
        n_real=None,
        n_fake=samples,
        details={"perfect": perfect, **influence_pairing(fake=good, n_fake=samples)},
    )


METRIC = Metric(
    compute=mode_coverage,
    scores={name: better for name, better in SCORES.items() if name != "high_quality"},
    heads=frozenset({"logits"}),
    real_heads=frozenset(),
    mixture_heads=frozenset({"features"}),
    minimum_samples=1,
    needs_modes=True,
)
