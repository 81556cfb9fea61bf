"""The published protocols of other tools: what to set so that a score is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gandiag.core.errors import UnknownNameError


@dataclass(frozen=True)
class Rules:
    """One tool's protocol.

    Attributes:
        preprocessing: of the Inception network's images.
        samples: how many it takes; None for all, or for the reference's protocol where there is no end of them.
        extractor: of all metrics; None for the reference's own.
        extractors: of single metrics.
        settings: of single metrics.
        whole: metrics that take all samples with it, however many they would take by themselves.
        by_name: whether it takes the files of a folder and the rows of an array in their order, as they are shuffled
            by its own rule or not at all.
        differs: what of it is not followed, for the Result's warnings.
    """

    preprocessing: str | None = None
    samples: int | None = None
    extractor: str | None = None
    extractors: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    by_name: bool = False
    differs: tuple[str, ...] = ()


SUBSETS = {"estimator": "subsets", "subsets": 100, "subset_size": 1000}
UNSEEDED = "it draws the subsets of KID anew at each call: its value differs from run to run about this one"

# Versions: torch-fidelity 0.4, pytorch-fid 0.3, clean-fid 0.1.35, torchmetrics 1.9, prdc 0.2, and the repositories
# NVlabs/stylegan3 and openai/guided-diffusion.
TOOLS = {
    "torch-fidelity": Rules(
        preprocessing="tf1",
        extractor="inception",
        extractors={"precision_recall": "vgg16"},
        settings={"kid": SUBSETS},
        whole=("kid", "precision_recall"),
        by_name=True,
    ),
    "pytorch-fid": Rules(preprocessing="pytorch-fid", extractor="inception", by_name=True),
    "clean-fid": Rules(
        preprocessing="clean",
        extractor="inception",
        settings={"kid": SUBSETS},
        whole=("kid",),
        by_name=True,
        differs=(UNSEEDED,),
    ),
    "torchmetrics": Rules(
        preprocessing="antialias",
        extractor="inception",
        settings={"kid": SUBSETS},
        whole=("kid",),
        by_name=True,
        differs=(UNSEEDED, "it shuffles the samples of IS anew at each call: its value differs from run to run"),
    ),
    "stylegan3": Rules(
        preprocessing="tf1",
        samples=50_000,
        extractor="inception",
        extractors={"precision_recall": "vgg16"},
        settings={
            "fid": {"unbiased": False},
            "kid": SUBSETS,
            "inception_score": {"shuffle": False},
        },
        by_name=True,
        differs=(UNSEEDED, "it compares neighbours' distances in float16, and these are in float32"),
    ),
    "adm": Rules(
        preprocessing="tf1",
        samples=50_000,
        extractor="inception",
        settings={"inception_score": {"shuffle": False, "split_size": 5000}},
        by_name=True,
        differs=("it compares neighbours' distances in float16 where they fit, and these are in float32",),
    ),
    "prdc": Rules(
        settings={"precision_recall": {"k_precision": 5, "k_coverage": 5, "closed": False}},
        whole=("precision_recall",),
    ),
}


def protocol_of(tool: str | None) -> Rules:
    """The rules of a tool; none for None.

    Raises:
        UnknownNameError: no such tool.
    """
    if tool is None:
        return Rules()
    if tool not in TOOLS:
        raise UnknownNameError("tool", tool, TOOLS)
    return TOOLS[tool]
