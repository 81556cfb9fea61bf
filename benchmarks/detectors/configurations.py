"""What is trained: healthy configurations and faults, each for tuning or held out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

Half = Literal["tuning", "held-out"]


@dataclass(frozen=True)
class Configuration:
    """One way to train.

    Attributes:
        name: of it.
        half: whether thresholds may be chosen with it.
        data: `ring`, `grid`, `digits` or `stacked`.
        loss: of `reference_models.losses`, or `wasserstein`.
        networks: `mlp` or `dcgan`.
        penalties: of `reference_models.penalties` with their weights.
        steps: of the generator.
        bug: what is wrong with the loop itself, if anything: the truth of it is known.
        others: what the loop knows.
    """

    name: str
    half: Half
    data: str
    loss: str = "non_saturating"
    networks: str = "mlp"
    penalties: tuple[tuple[str, float], ...] = ()
    steps: int = 3000
    batch: int = 128
    latent: int = 16
    hidden: int = 64
    norm: str = "none"
    generator_rate: float = 1e-3
    discriminator_rate: float = 1e-3
    betas: tuple[float, float] = (0.5, 0.999)
    optimizer: str = "adam"
    discriminator_steps: int = 1
    generator_steps: int = 1
    spectral: bool = False
    clip: float = 0.0
    accumulate: int = 1
    decay: float = 0.0
    pretrain: int = 0
    images: int = 0
    bug: str = ""
    turn: int = 0
    turned: dict[str, float] = field(default_factory=dict)


R1, R12 = (("r1", 0.1),), (("r1", 0.1), ("r2", 0.1))
GP = (("gradient_penalty", 1.0),)


def _mixture(name: str, half: Half, data: str, **changes: object) -> Configuration:
    return replace(Configuration(name, half, data, latent=8), **changes)  # type: ignore[arg-type]


def _digits(name: str, half: Half, **changes: object) -> Configuration:
    base = Configuration(
        name,
        half,
        "digits",
        steps=1500,
        batch=64,
        latent=32,
        hidden=128,
        norm="batch",
        generator_rate=2e-3,
        discriminator_rate=5e-4,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


HEALTHY = (
    _mixture("ring-non-saturating-r1", "tuning", "ring", penalties=R1),
    _mixture("ring-relativistic-r1-r2", "held-out", "ring", loss="relativistic", penalties=R12),
    _mixture("ring-hinge-r1", "tuning", "ring", loss="hinge", penalties=R1),
    _mixture("ring-least-squares-r1", "held-out", "ring", loss="least_squares", penalties=R1),
    _mixture(
        "ring-wgan-gp", "held-out", "ring", loss="wasserstein", penalties=GP, discriminator_steps=3, betas=(0.5, 0.9)
    ),
    _mixture(
        "ring-two-rates-small-batch",
        "tuning",
        "ring",
        penalties=R1,
        batch=32,
        generator_rate=5e-4,
        discriminator_rate=2e-3,
    ),
    _mixture(
        "ring-no-momentum-accumulated", "held-out", "ring", penalties=R1, betas=(0.0, 0.99), accumulate=2, batch=64
    ),
    _mixture(
        "grid-relativistic-r1-r2",
        "tuning",
        "grid",
        loss="relativistic",
        penalties=R12,
        generator_rate=2e-3,
        discriminator_rate=2e-3,
        steps=4000,
        decay=0.5,
    ),
    _mixture("grid-non-saturating-r1", "held-out", "grid", penalties=R1, hidden=128, steps=4000, decay=0.5),
    _mixture(
        "grid-wgan-gp",
        "tuning",
        "grid",
        loss="wasserstein",
        penalties=GP,
        discriminator_steps=3,
        betas=(0.5, 0.9),
        steps=3000,
    ),
    _digits("digits-non-saturating", "held-out"),
    _digits("digits-least-squares", "tuning", loss="least_squares"),
    _digits("digits-hinge-spectral", "held-out", loss="hinge", spectral=True, discriminator_rate=1e-3),
    _digits("digits-relativistic-r1", "tuning", loss="relativistic", penalties=(("r1", 0.3),)),
    _digits("digits-dcgan", "held-out", networks="dcgan", steps=600, hidden=16, generator_rate=1e-3),
    _digits(
        "stacked-relativistic-r1-r2",
        "held-out",
        data="stacked",
        loss="relativistic",
        penalties=(("r1", 0.3), ("r2", 0.3)),
    ),
    _digits("stacked-non-saturating-r1", "tuning", data="stacked", penalties=(("r1", 0.3),)),
)

AHEAD = {"generator_steps": 5, "generator_rate": 2e-3, "discriminator_rate": 1e-4, "norm": "none"}
FAULTS = (
    # Mode collapse.
    _mixture("ring-no-noise", "tuning", "ring", penalties=R1, bug="no noise", steps=2000),
    _mixture("ring-generator-ahead", "held-out", "ring", **{**AHEAD, "steps": 2000}),
    _mixture("grid-generator-ahead", "tuning", "grid", **{**AHEAD, "steps": 2000}),
    _digits("digits-generator-ahead", "held-out", **{**AHEAD, "steps": 1500}),
    _digits("digits-no-noise", "held-out", bug="no noise"),
    _mixture(
        "ring-late-collapse",
        "held-out",
        "ring",
        penalties=R1,
        steps=4500,
        turn=3000,
        turned={"discriminator_rate": 0.02, "generator_rate": 10.0},
    ),
    _digits(
        "digits-late-collapse",
        "tuning",
        steps=2500,
        turn=1200,
        turned={"discriminator_rate": 0.01, "generator_rate": 20.0},
    ),
    # Vanishing gradients.
    _digits(
        "digits-saturating-strong-discriminator",
        "tuning",
        loss="saturating",
        optimizer="generator-sgd",
        generator_rate=0.05,
        discriminator_rate=1e-3,
        pretrain=300,
    ),
    _digits(
        "stacked-saturating-strong-discriminator",
        "held-out",
        data="stacked",
        loss="saturating",
        optimizer="generator-sgd",
        generator_rate=0.05,
        discriminator_rate=1e-3,
        pretrain=300,
        hidden=192,
    ),
    _digits(
        "digits-saturating-greedy",
        "held-out",
        loss="saturating",
        optimizer="generator-sgd",
        generator_rate=0.02,
        discriminator_rate=2e-3,
        discriminator_steps=5,
        steps=1000,
    ),
    # An overpowering discriminator.
    _mixture(
        "ring-strong-discriminator",
        "held-out",
        "ring",
        generator_rate=1e-6,
        discriminator_rate=5e-3,
        discriminator_steps=5,
        steps=2000,
    ),
    _digits(
        "digits-strong-discriminator",
        "tuning",
        generator_rate=1e-6,
        discriminator_rate=2e-3,
        discriminator_steps=3,
        steps=1000,
    ),
    # Explosions and what is not finite.
    _mixture(
        "ring-high-rate", "tuning", "ring", generator_rate=0.1, discriminator_rate=0.1, betas=(0.9, 0.999), steps=2000
    ),
    _digits(
        "digits-high-rate", "held-out", generator_rate=0.1, discriminator_rate=0.1, betas=(0.9, 0.999), norm="none"
    ),
    _mixture(
        "ring-plain-descent",
        "held-out",
        "ring",
        optimizer="sgd",
        generator_rate=1.0,
        discriminator_rate=1.0,
        steps=2000,
    ),
    _mixture(
        "ring-naive-logarithm",
        "tuning",
        "ring",
        bug="naive logarithm",
        discriminator_rate=5e-3,
        discriminator_steps=5,
        steps=2000,
    ),
    _mixture(
        "ring-late-explosion",
        "held-out",
        "ring",
        penalties=R1,
        steps=4500,
        turn=3000,
        turned={"discriminator_rate": 100.0, "generator_rate": 100.0},
    ),
    # Non-convergence.
    _mixture(
        "ring-momentum", "tuning", "ring", betas=(0.9, 0.999), generator_rate=5e-3, discriminator_rate=5e-3, steps=4000
    ),
    _mixture(
        "grid-momentum",
        "held-out",
        "grid",
        betas=(0.9, 0.999),
        generator_rate=5e-3,
        discriminator_rate=5e-3,
        steps=4000,
    ),
    _mixture(
        "ring-wgan-clipped-momentum",
        "tuning",
        "ring",
        loss="wasserstein",
        clip=0.1,
        betas=(0.9, 0.999),
        generator_rate=3e-3,
        discriminator_rate=3e-3,
        steps=3000,
    ),
    _mixture(
        "grid-least-squares-momentum",
        "held-out",
        "grid",
        loss="least_squares",
        betas=(0.9, 0.999),
        generator_rate=5e-3,
        discriminator_rate=5e-3,
        steps=3000,
    ),
    _mixture("ring-wgan-unbounded", "held-out", "ring", loss="wasserstein", discriminator_steps=3, steps=3000),
    # Broken loops.
    _mixture("ring-detached", "tuning", "ring", penalties=R1, bug="detached", steps=1500),
    _digits("digits-detached", "held-out", bug="detached", steps=800),
    _mixture("ring-frozen-discriminator", "held-out", "ring", bug="frozen discriminator", steps=2000),
    _digits("digits-frozen-discriminator", "tuning", bug="frozen discriminator", steps=800),
    _mixture("ring-wrong-sign", "tuning", "ring", bug="wrong sign", steps=2000),
    _digits("digits-swapped-labels", "held-out", bug="swapped labels", steps=1000),
    # Memorising.
    _digits("digits-few-images", "tuning", images=40, discriminator_rate=1e-3, steps=2000),
    _digits("digits-few-images-hinge", "held-out", images=40, loss="hinge", discriminator_rate=1e-3, steps=2000),
)
SEEDS = {"healthy": 10, "fault": 5}
