"""Draw the pictures of the distribution metrics' pages into docs/images: `python tools/draw_distribution_metrics.py`.

Everything is seeded and comes from gandiag itself: the same versions draw the same pictures. matplotlib is in the
extra `docs`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from drawing import FAKE, GREY, REAL, draw
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import gandiag
from gandiag.core import seeds
from gandiag.metrics.fid import fid
from gandiag.metrics.kid import kid
from gandiag.metrics.mind import mind
from gandiag.metrics.vendi import vendi
from gandiag.statistics.frechet import frechet_distance_of_features
from gandiag.statistics.kmeans import assign, fit_centres
from gandiag.statistics.pyramid import laplacian_pyramid


def kid_intervals() -> Figure:
    """KID and its interval for many draws of equal distributions, and of some that differ a little."""
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.2), sharey=True)
    repeats, count, width = 60, 200, 8
    for panel, (shift, name) in zip(panels, ((0.0, "equal distributions"), (0.15, "a small shift")), strict=True):
        found = []
        for repeat in range(repeats):
            real = torch.from_numpy(seeds.normal(repeat, "docs/kid/real", 0, count, width))
            fake = torch.from_numpy(seeds.normal(repeat, "docs/kid/fake", 0, count, width)) + shift
            found.append(kid(real=real, fake=fake, subsets=0)["kid"])
        truth = _discrepancy_of_shift(shift, width)
        for place, score in enumerate(found):
            assert score.ci95 is not None
            missed = not score.ci95[0] <= truth <= score.ci95[1]
            panel.plot([place, place], score.ci95, color=FAKE if missed else REAL, linewidth=1.2, alpha=0.8)
            panel.plot(place, score.value, ".", color=FAKE if missed else REAL, markersize=3)
        panel.axhline(truth, color="black", linewidth=0.9)
        panel.set_title(f"{name}: the truth is {truth:.3g}", fontsize=10)
        panel.set_xlabel("repeated draw, 200 samples a side")
    panels[0].set_ylabel("kid")
    return figure


def _discrepancy_of_shift(shift: float, width: int) -> float:
    """The true KID of N(0, I) and N(shift, I) in `width` dimensions, from the moments of x'y."""
    square = width * shift**2

    def expected(one: float, other: float) -> float:  # of (x'y / d + 1)^3, `one` and `other` 1 where shifted
        cross, own = one * other * square, one * square + other * square
        second = cross**2 + own + width
        # The third moments contract to (m'n)^3 + 3 (m'n)(|m|^2 + |n|^2) + (3 d + 6) m'n.
        third = cross**3 + 3 * cross * own + (3 * width + 6) * cross
        return 1 + 3 * cross / width + 3 * second / width**2 + third / width**3

    return expected(0, 0) + expected(1, 1) - 2 * expected(0, 1)


def mind_bias() -> Figure:
    """Relative bias and spread of MIND and FID against the number of samples."""
    counts, width, repeats = (250, 500, 1000, 2000, 4000), 128, 4
    weights = torch.arange(1, width + 1).double() ** -0.5

    def draw(side: str, repeat: int, count: int, shift: float, scale: float) -> torch.Tensor:
        drawn = torch.from_numpy(seeds.normal(repeat, f"docs/mind/{side}", 0, count, width))
        return (drawn * scale + shift) * weights

    truth = {}
    rows = {"fid": [], "mind": [], "mind, extrapolated": []}
    for count in (*counts, 30_000):
        values = {name: [] for name in rows}
        for repeat in range(repeats if count in counts else 1):
            real, fake = draw("real", repeat, count, 0.0, 1.0), draw("fake", repeat, count, 0.2, 1.15)
            values["fid"].append(frechet_distance_of_features(real=real, fake=fake).distance)
            score = mind(real=real.float(), fake=fake.float(), projections=300, splits=4)["mind"]
            values["mind"].append(score.value)
            values["mind, extrapolated"].append(score.details["extrapolated"])
        if count not in counts:
            large = fid(real=real, fake=fake)["fid_infinity"].value
            truth = {"fid": large, "mind": values["mind, extrapolated"][0]}
            truth["mind, extrapolated"] = truth["mind"]
        else:
            for name in rows:
                rows[name].append(values[name])
    figure, panel = plt.subplots(figsize=(7.2, 3.6))
    styles = {"fid": GREY, "mind": FAKE, "mind, extrapolated": REAL}
    for name, found in rows.items():
        relative = np.array(found) / truth[name]
        panel.plot(counts, relative.mean(axis=1), "o-", color=styles[name], markersize=4, label=name)
        panel.fill_between(
            counts, relative.min(axis=1), relative.max(axis=1), color=styles[name], alpha=0.2, linewidth=0
        )
    panel.axhline(1, color="black", linewidth=0.8)
    panel.set_xscale("log")
    panel.set_xticks(counts, [f"{count:,}" for count in counts])
    panel.minorticks_off()
    panel.set_xlabel("samples a side")
    panel.set_ylabel("value over the true distance")
    panel.legend(frameon=False)
    return figure


def swd_pyramid() -> Figure:
    """The levels of one image and where patches are cut."""
    image = torch.nn.functional.pad(gandiag.load_dataset("stacked-mnist").read(5, 6), (18, 18, 18, 18)).float()
    image = torch.nn.functional.interpolate(image[:, :, 18:-18, 18:-18], size=(64, 64), mode="bilinear")
    bands = laplacian_pyramid(image, 3)
    figure, panels = plt.subplots(1, 4, figsize=(9.6, 2.7))
    panels[0].imshow(image[0].permute(1, 2, 0) / 255)
    panels[0].set_title("image, 64 px", fontsize=10)
    for panel, band in zip(panels[1:], bands, strict=True):
        shown = band[0].permute(1, 2, 0)
        panel.imshow((0.5 + shown / (4 * shown.std())).clamp(0, 1))
        size = band.shape[-1]
        panel.set_title(f"level of {size} px", fontsize=10)
        for row, column in np.random.default_rng(3).integers(0, size - 6, (4, 2)):
            panel.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 7, 7, fill=False, color="white", linewidth=1.2))
    for panel in panels:
        panel.axis("off")
    return figure


def ndb_bins() -> Figure:
    """Bins of a plane and those whose frequency differs, for a fair and for a lopsided generator."""
    count, bins = 3000, 24
    real = torch.from_numpy(seeds.normal(0, "docs/ndb/real", 0, 2 * count, 2))
    fair = torch.from_numpy(seeds.normal(0, "docs/ndb/fake", 0, count, 2))
    lopsided = fair[(fair[:, 0] < 0.7) | (fair[:, 1] < 0.2)]
    figure, panels = plt.subplots(1, 2, figsize=(9.0, 3.9), sharex=True, sharey=True)
    for panel, (fakes, name) in zip(
        panels, ((fair, "equal distributions"), (lopsided, "a corner is missing")), strict=True
    ):
        centres = fit_centres(real[:count], bins, np.random.default_rng(1))
        one, other = (torch.bincount(assign(side, centres), minlength=bins).double() for side in (real[count:], fakes))
        pooled = (one + other) / (len(fakes) + count)
        z = (other / len(fakes) - one / count) / (pooled * (1 - pooled) * (1 / count + 1 / len(fakes))).sqrt()
        grid = torch.cartesian_prod(torch.linspace(-3, 3, 240), torch.linspace(-3, 3, 240)).double()
        field = torch.where(z.abs() > 1.96, z.clamp(-6, 6), 0)[assign(grid, centres)].view(240, 240).T
        panel.imshow(field, extent=(-3, 3, -3, 3), origin="lower", cmap="RdBu_r", vmin=-6, vmax=6, alpha=0.75)
        panel.plot(fakes[:700, 0], fakes[:700, 1], ".", color="black", markersize=1.2)
        panel.plot(centres[:, 0], centres[:, 1], "+", color="black", markersize=5)
        differing = int((z.abs() > 1.96).sum())
        panel.set_title(f"{name}\nndb = {differing / bins:.2f} ({differing} of {bins} bins)", fontsize=10)
        panel.set_xlim(-3, 3)
        panel.set_ylim(-3, 3)
    return figure


def vendi_growth() -> Figure:
    """The Vendi Score against the number of samples, for a varied and for a collapsed generator."""
    counts, width = (50, 100, 200, 400, 800, 1600, 3200), 64
    flat = torch.from_numpy(seeds.normal(0, "docs/vendi", 0, counts[-1], width))
    centres = torch.from_numpy(seeds.normal(1, "docs/vendi", 0, 8, width))
    modes = centres.repeat(counts[-1] // 8, 1) + 0.15 * flat
    figure, panel = plt.subplots(figsize=(7.2, 3.3))
    for rows, name, colour in ((flat, "64 directions, equally likely", REAL), (modes, "8 modes with some noise", FAKE)):
        found = [vendi(fake=rows[:count])["vendi"] for count in counts]
        panel.plot(counts, [score.value for score in found], "o-", color=colour, markersize=4, label=name)
    panel.axhline(64, color=REAL, linewidth=0.7, linestyle=":")
    panel.axhline(8, color=FAKE, linewidth=0.7, linestyle=":")
    panel.set_xscale("log")
    panel.set_xticks(counts, [f"{count:,}" for count in counts])
    panel.minorticks_off()
    panel.set_xlabel("samples")
    panel.set_ylabel("vendi")
    panel.legend(frameon=False)
    return figure


PICTURES: dict[str, Callable[[], Figure]] = {
    "kid-intervals": kid_intervals,
    "mind-bias": mind_bias,
    "swd-pyramid": swd_pyramid,
    "ndb-bins": ndb_bins,
    "vendi-growth": vendi_growth,
}


if __name__ == "__main__":
    draw(PICTURES)
