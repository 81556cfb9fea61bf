"""The kernel Inception distance, with the literature's 100 subsets of 1,000."""

from __future__ import annotations

from torch import Tensor

from gandiag.metrics import kid as gandiag_kid
from work.data import WIDTH, sides
from work.model import Case, Pair, Side, Work, largest_difference


def kid(quick: bool) -> Work:
    """Mean and spread over subsets must be the same; the value over all pairs is more than the peer has."""
    width, count, subsets, size = (256, 400, 10, 100) if quick else (WIDTH, 10_000, 100, 1000)

    def whole(data: tuple[Tensor, Tensor]) -> dict[str, float]:
        score = gandiag_kid.kid(real=data[0], fake=data[1], subsets=subsets, subset_size=size)["kid"]
        return {"mean": score.details["subset_mean"], "std": score.details["subset_std"], "kid": score.value}

    def alone(data: tuple[Tensor, Tensor]) -> dict[str, float]:
        return {"kid": gandiag_kid.kid(real=data[0], fake=data[1], subsets=0)["kid"].value}

    def fidelity(data: tuple[Tensor, Tensor]) -> dict[str, float]:
        from torch_fidelity import metric_kid

        found = metric_kid.kid_features_to_metric(
            data[1], data[0], kid_subsets=subsets, kid_subset_size=size, rng_seed=2020, verbose=False
        )
        mean, spread = found[metric_kid.KEY_METRIC_KID_MEAN], found[metric_kid.KEY_METRIC_KID_STD]
        return {"mean": mean, "std": spread, "kid": mean}

    return Work(
        name="kid",
        title=f"KID, {subsets} subsets of {size:,}",
        cases=(Case(f"d={width:,}, N={count:,}", lambda: sides(count, width=width)),),
        sides=(
            Side("gandiag, all pairs, error bar and subsets", whole),
            Side("gandiag, all pairs and error bar", alone),
            Side("torch-fidelity", fidelity, needs=("torch_fidelity",)),
        ),
        pairs=(
            Pair("gandiag, all pairs, error bar and subsets", "torch-fidelity", tolerance=1e-5),
            Pair("gandiag, all pairs and error bar", "torch-fidelity"),
        ),
        difference=_of_subsets,
        repeats=3,
    )


def _of_subsets(one: dict[str, float], other: dict[str, float]) -> float:
    """Difference of the subsets' mean and spread; where there are none, of the estimate from the mean over subsets."""
    names = {"mean", "std"} if "mean" in one else {"kid"}
    return largest_difference({name: one[name] for name in names}, other)
