"""Draw the pictures of the metrics that look at single samples and classes: `python tools/draw_sample_metrics.py`.

Everything is seeded and comes from gandiag itself. matplotlib is in the extra `docs`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from drawing import FAKE, GREY, REAL, draw
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from torch import Tensor

from gandiag.core import seeds
from gandiag.metrics.conditional import conditional
from gandiag.metrics.fld import fld
from gandiag.metrics.memorization import memorization
from gandiag.metrics.realism import realism
from gandiag.statistics.feature_bank import FeatureBank


def memorization_neighbours() -> Figure:
    """Training samples, honest fakes, and fakes that are copies, with the space around each training sample."""
    train, honest = _normal("train", 60, 2), _normal("honest", 30, 2)
    copied = train[:12] + 0.02 * _normal("copied", 12, 2)
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.0), sharex=True, sharey=True)
    for panel, title, fakes in zip(
        panels,
        ("an honest generator", "one that copies a third"),
        (honest, torch.cat([honest[:24], copied])),
        strict=True,
    ):
        scores = memorization(real=train, fake=fakes)
        distances = (train[:, None] - train).square().sum(dim=2).sqrt() + 1e9 * torch.eye(len(train))
        for centre, radius in zip(train.tolist(), distances.amin(dim=1).tolist(), strict=True):
            panel.add_patch(Circle((centre[0], centre[1]), radius, color=REAL, alpha=0.10, linewidth=0))
        panel.plot(train[:, 0], train[:, 1], ".", color=REAL, markersize=6, label="training samples, and their space")
        panel.plot(fakes[:, 0], fakes[:, 1], "x", color=FAKE, markersize=6, label="fakes")
        text = ", ".join(f"{name} {scores[name].value:.2f}" for name in ("authenticity", "copies"))
        panel.set_title(f"{title}\n{text}", fontsize=9.5)
        panel.set_aspect("equal")
        panel.set_xlim(-2.6, 2.6)
        panel.set_ylim(-2.4, 2.4)
    panels[0].legend(frameon=False, fontsize=8, loc="lower left")
    return figure


def realism_samples() -> Figure:
    """Fakes in the plane, coloured by their realism."""
    angle = torch.from_numpy(seeds.uniform(0, "docs/realism/angle", 0, 400, 1))[:, 0] * 2 * np.pi
    ring = torch.stack([angle.cos(), angle.sin()], dim=1) * 2
    real = ring + 0.12 * _normal("realism/real", 400, 2)
    fakes = _normal("realism/fake", 300, 2) * 1.3
    found = realism(real=real, fake=fakes, halves=0)["realism"]
    # Each alone: the metric names the best and the worst only.
    values = [realism(real=real, fake=fake[None], halves=0)["realism"].value or 0.0 for fake in fakes]
    figure, panel = plt.subplots(figsize=(6.4, 4.2))
    panel.plot(real[:, 0], real[:, 1], ".", color=GREY, markersize=3, alpha=0.6)
    drawn = panel.scatter(fakes[:, 0], fakes[:, 1], c=np.log10(values), s=16, cmap="coolwarm_r", vmin=-1.5, vmax=1.5)
    bar = figure.colorbar(drawn, ax=panel, ticks=[-1, 0, 1])
    bar.ax.set_yticklabels(["0.1", "1", "10"])
    bar.set_label("realism")
    share = found.details["share_inside"]
    panel.set_title(f"real samples in grey; {share:.0%} of the fakes have a realism of 1 or more", fontsize=9.5)
    panel.set_aspect("equal")
    return figure


def conditional_classes() -> Figure:
    """Recall and share by class, for a generator that lost two classes in two ways."""
    labels = torch.arange(2000) % 10
    real = _normal("conditional/real", 2000, 4) + 8.0 * labels[:, None]
    fakes = _normal("conditional/fake", 2000, 4) + 8.0 * labels[:, None]
    fakes[labels == 4] = fakes[labels == 4][:1] + 0.01 * _normal("conditional/one", 200, 4)
    kept = (labels != 7) | (torch.arange(2000) < 150)
    scores = conditional(
        real=FeatureBank(features=real, labels=labels), fake=FeatureBank(features=fakes[kept], labels=labels[kept])
    )
    details = scores["classes_kept"].details
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.2))
    for panel, key in zip(panels, ("recall", "fake_share"), strict=True):
        heights = [each[key] for each in details["classes"].values()]
        colours = [FAKE if name in details["lost"] else REAL for name in details["classes"]]
        panel.bar(list(details["classes"]), heights, color=colours)
        panel.set_xlabel("class")
        panel.set_title("recall within the class" if key == "recall" else "share of the fakes", fontsize=9.5)
    panels[1].axhline(0.1, color=GREY, linewidth=1, linestyle=":")
    arrow, box = {"arrowstyle": "->"}, {"boxstyle": "round", "facecolor": "white", "edgecolor": GREY}
    panels[0].annotate("one image only", (4, 0.02), (2.6, 0.25), fontsize=9, arrowprops=arrow, bbox=box)
    panels[1].annotate("hardly ever made", (7, 0.01), (5.2, 0.05), fontsize=9, arrowprops=arrow, bbox=box)
    return figure


def fld_copies() -> Figure:
    """FLD and its gap as more of the fakes are copies, and as the fakes get worse."""
    modes = torch.arange(1200) % 4

    def draw(name: str, count: int) -> Tensor:
        return _normal(f"fld/{name}", count, 8) + 5.0 * torch.nn.functional.one_hot(modes[:count], 8)

    train, held_out, honest = draw("train", 600), draw("held out", 400), draw("fake", 400)
    real = FeatureBank(features=train, held_out=FeatureBank(features=held_out))
    shares, shifts = np.linspace(0, 0.5, 6), np.linspace(0, 3, 6)
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.4))
    copied = [torch.cat([train[: int(share * 400)], honest[int(share * 400) :]]) for share in shares]
    sides = (
        (panels[0], 100 * shares, copied, "fakes that are copies of training samples, %"),
        (panels[1], shifts, [honest + shift / 8**0.5 for shift in shifts], "shift of the fakes, in deviations"),
    )
    for panel, places, sets, text in sides:
        scores = [fld(real=real, fake=fakes) for fakes in sets]
        for name, colour in (("fld", REAL), ("fld_gap", FAKE)):
            values, errors = ([getattr(each[name], part) for each in scores] for part in ("value", "stderr"))
            bars = [2 * float(error or 0) for error in errors]
            panel.errorbar(places, values, bars, fmt="-o", color=colour, markersize=4, capsize=3, label=name)
        panel.set_xlabel(text)
        panel.set_yscale("symlog", linthresh=10)
        panel.yaxis.set_major_formatter("{x:g}")
        panel.axhline(0, color=GREY, linewidth=0.8)
        panel.legend(frameon=False, fontsize=9)
    return figure


def _normal(name: str, count: int, width: int) -> Tensor:
    return torch.from_numpy(seeds.normal(0, f"docs/{name}", 0, count, width))


PICTURES: dict[str, Callable[[], Figure]] = {
    "memorization": memorization_neighbours,
    "realism": realism_samples,
    "conditional": conditional_classes,
    "fld": fld_copies,
}


if __name__ == "__main__":
    draw(PICTURES)
