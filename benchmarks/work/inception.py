"""Features of the FID's Inception, with the same seeded weights on both sides, from uint8 images of 64 x 64."""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from gandiag.core.protocols import Extractor, ExtractorOptions, Precision
from gandiag.extractors import open_extractor
from gandiag.statistics.frechet import frechet_distance_of_features
from work.images import images, inception_weights
from work.model import Case, Finding, Pair, Samples, Side, Work, relative_difference

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
ON_GPU = DEVICE == "cuda"
BATCH = 256 if ON_GPU else 64
ROUNDS = 8 if ON_GPU else 1  # batches in one measurement
MATRIX = 8192 if ON_GPU else 2048  # size of the matrix product that gives the machine's rate
FIDELITY = "torch-fidelity"
FIDELITY_EXACT = "torch-fidelity, without TF32"  # on a GPU PyTorch does convolutions in TF32 unless told not to
NEEDS = ("torch_fidelity",)


def fp32(quick: bool) -> Work:
    """Both in float32; on a GPU the peer as it is, in TF32, and kept from that."""
    exact = FIDELITY_EXACT if ON_GPU else FIDELITY
    sides, pairs = _ours("fp32", quick), [Pair("gandiag fp32", exact, faster=3 if ON_GPU else 2, tolerance=1e-5)]
    if not quick:
        goal = None if ON_GPU else 2
        pairs.append(Pair("gandiag fp32, compiled", exact, faster=goal, tolerance=1e-5))
        pairs.append(Pair("gandiag fp32, compiled", "torch-fidelity, compiled"))
        sides.append(Side("torch-fidelity, compiled", lambda data: _fidelity(data, compiled=True), NEEDS))
    if ON_GPU:
        sides.append(Side(FIDELITY_EXACT, _fidelity_exact, NEEDS))
        pairs.append(Pair("gandiag fp32", FIDELITY))
    return _work("inception-fp32", "Inception features, float32", quick, sides, pairs)


def tf32(quick: bool) -> Work:
    """On a GPU, both in TF32; elsewhere that is float32 by another name."""
    sides, goal = _ours("tf32", quick), 3 if ON_GPU else None
    pairs = [Pair(side.name, FIDELITY, faster=goal, tolerance=5e-3) for side in sides]
    work = _work("inception-tf32", "Inception features, TF32", quick, sides, pairs, precision="tf32")
    return work if ON_GPU else replace(work, heavy=True)


def bf16(quick: bool) -> Work:
    """Bfloat16 against the peer in float32, its only arithmetic; the study says what that costs."""
    sides, goal = _ours("bf16", quick), 6 if ON_GPU else 3
    pairs = [Pair(side.name, FIDELITY, faster=goal) for side in sides]
    return _work("inception-bf16", "Inception features, bfloat16", quick, sides, pairs, precision="bf16")


def _work(
    name: str, title: str, quick: bool, ours: list[Side], pairs: list[Pair], *, precision: Precision = "fp32"
) -> Work:
    batch, rounds = (4, 1) if quick else (BATCH, ROUNDS)
    count = batch * rounds

    def study(samples: Samples) -> list[Finding]:
        found = _rates(samples, count, precision, quick)
        if precision == "bf16" and not ON_GPU:
            found.append(Finding("bfloat16 instructions of this CPU", _bfloat16_instructions()))
        # An arithmetic that is imitated is too slow for more.
        images_of_cost = 16 if quick else 10_240 if ON_GPU else 64 if _imitated(precision) else 320
        return found + _cost(precision, images_of_cost) if precision != "fp32" else found

    where = torch.cuda.get_device_name() if ON_GPU else "CPU"
    case = f"{where}, {rounds} x {batch} images" if rounds > 1 else f"{where}, {batch} images"
    return Work(
        name=name,
        title=title,
        cases=(Case(case, lambda: torch.split(images(count, 0).to(DEVICE), batch)),),
        sides=(*ours, Side(FIDELITY, _fidelity, NEEDS)),
        pairs=tuple(pairs),
        difference=relative_difference,
        repeats=5,
        study=study,
    )


def _ours(precision: Precision, quick: bool) -> list[Side]:
    name = f"gandiag {precision}"
    eager = Side(name, lambda batches: _features(batches, precision))
    if quick:
        return [eager]
    return [eager, Side(f"{name}, compiled", lambda batches: _features(batches, precision, compiled=True))]


@functools.cache
def _gandiag(precision: Precision, compiled: bool) -> Extractor:
    options = ExtractorOptions(device=DEVICE, precision=precision, weights=inception_weights(), compile=compiled)
    return open_extractor("inception", options)


@functools.cache
def _fidelity_network(compiled: bool) -> Callable[[Tensor], tuple[Tensor, ...]]:
    from torch_fidelity.utils import create_feature_extractor

    network = create_feature_extractor(
        "inception-v3-compat",
        ["2048"],
        cuda=ON_GPU,
        feature_extractor_weights_path=str(inception_weights()),
        feature_extractor_compile=compiled,
        verbose=False,
    )
    return network.to(DEVICE)


def _features(batches: tuple[Tensor, ...], precision: Precision, *, compiled: bool = False) -> Tensor:
    extractor = _gandiag(precision, compiled)
    return torch.cat([extractor(batch).features for batch in batches]).cpu()


def _fidelity(batches: tuple[Tensor, ...], *, compiled: bool = False) -> Tensor:
    network = _fidelity_network(compiled)
    with torch.no_grad():
        return torch.cat([network(batch)[0] for batch in batches]).cpu()


def _fidelity_exact(batches: tuple[Tensor, ...]) -> Tensor:
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        return _fidelity(batches)


def _rates(samples: Samples, count: int, precision: Precision, quick: bool) -> list[Finding]:
    """Images a second of each side, and which share that is of the rate of a large matrix product."""
    cost = _operations()
    measured: dict[Precision, float] = {}
    found = []
    for side, taken in next(iter(samples.values())).items():
        arithmetic: Precision = precision if side.startswith("gandiag") else "fp32"
        if side == FIDELITY and ON_GPU:
            arithmetic = "tf32"
        if arithmetic not in measured:
            measured[arithmetic] = _matrix_rate(arithmetic, 512 if quick or _imitated(arithmetic) else MATRIX)
        rate = count / statistics.median(sample.seconds for sample in taken)
        share = f"{rate * cost / measured[arithmetic]:.0%} of the {measured[arithmetic] / 1e12:.3g} TFLOP/s"
        found.append(Finding(f"{side}: rate", f"{rate:,.1f} images/s, {share} of a {arithmetic} matrix product"))
    return found


def _bfloat16_instructions() -> str:
    """Which of them Linux lists; without any, bfloat16 is imitated and slower than float32."""
    path = Path("/proc/cpuinfo")
    flags = path.read_text(encoding="utf-8").split() if path.exists() else []
    found = sorted({"amx_bf16", "avx512_bf16", "bf16"} & set(flags))
    return ", ".join(found) or ("none: it is imitated, and the goal is out of reach here" if flags else "not known")


def _imitated(precision: Precision) -> bool:
    return precision == "bf16" and not ON_GPU and _bfloat16_instructions().startswith("none")


@functools.cache
def _operations() -> int:
    """Additions and multiplications of one image in the network, counted."""
    network = _gandiag("fp32", False).network  # type: ignore[attr-defined]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(torch.zeros(1, 3, 299, 299, device=DEVICE))
    return int(counter.get_total_flops())


def _matrix_rate(precision: Precision, size: int) -> float:
    """Operations a second of a large matrix product in that arithmetic: the best of several."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    generator = torch.Generator().manual_seed(0)
    one, other = (torch.randn(size, size, generator=generator).to(DEVICE, dtype) for _ in range(2))
    before = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    try:
        times = [_product_seconds(one, other) for _ in range(8)]
    finally:
        torch.backends.cuda.matmul.allow_tf32 = before
    return 2 * size**3 / min(times)


def _product_seconds(one: Tensor, other: Tensor) -> float:
    rounds = 10 if ON_GPU else 1
    _settle()
    start = time.perf_counter()
    for _ in range(rounds):
        one @ other
    _settle()
    return (time.perf_counter() - start) / rounds


def _settle() -> None:
    if ON_GPU:
        torch.cuda.synchronize()


def _cost(precision: Precision, count: int) -> list[Finding]:
    """What the precision does to features, and to the distance of two sets of images."""
    exact, rough = ([_set(which, count, used) for which in range(2)] for used in ("fp32", precision))
    norm = float((rough[0] - exact[0]).norm() / exact[0].norm())
    own = frechet_distance_of_features(real=exact[0], fake=rough[0]).distance
    distance = frechet_distance_of_features(real=exact[0], fake=exact[1]).distance
    moved = frechet_distance_of_features(real=rough[0], fake=rough[1]).distance
    mixed = frechet_distance_of_features(real=exact[0], fake=rough[1]).distance
    largest = relative_difference(rough[0], exact[0])
    return [
        Finding(f"error of {precision} features", f"{largest:.2g} of the largest value, {norm:.2g} in norm"),
        Finding(
            f"FID between fp32 and {precision} features of the same {count:,} images",
            f"{own:.3g}, {own / distance:.2%} of the distance of two sets",
        ),
        Finding(
            f"|FID in {precision} - FID in fp32| of two sets of {count:,} images",
            f"{abs(moved - distance):.3g} of {distance:.4g}, {abs(moved - distance) / distance:.3%}",
        ),
        Finding(
            f"the same with one set in fp32 and one in {precision}",
            f"{abs(mixed - distance):.3g} of {distance:.4g}, {abs(mixed - distance) / distance:.3%}",
        ),
    ]


@functools.cache
def _set(which: int, count: int, precision: Precision) -> Tensor:
    """Features of one of two sets of images, the second with less contrast."""
    made = images(count, 1 + which, contrast=1.0 - 0.3 * which)
    return _features(tuple(part.to(DEVICE) for part in torch.split(made, min(count, BATCH))), precision)
