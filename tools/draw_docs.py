"""Draw the pictures of the documentation into docs/images: `python tools/draw_docs.py [NAME ...]`.

Everything is seeded and comes from gandiag itself: the same versions draw the same pictures. matplotlib is in the
extra `docs`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from drawing import FAKE, GREY, HOME, REAL, draw
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle
from PIL import Image
from torch import Tensor

import gandiag
from gandiag.core import seeds
from gandiag.core.modes import ClassModes, MixtureModes
from gandiag.core.protocols import Dataset
from gandiag.metrics.fid import fid
from gandiag.metrics.mode_coverage import mode_coverage
from gandiag.metrics.precision_recall import precision_recall
from gandiag.sources.generator import checkpoint_source
from gandiag.statistics import histogram
from gandiag.statistics.neighbours import neighbour_lists


def mixtures() -> Figure:
    """Samples of ring8 and grid25, the circle of three standard deviations around each mode, and one mode enlarged."""
    figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.5))
    for panel, name in zip(panels, ("ring8", "grid25"), strict=False):
        dataset = gandiag.load_dataset(name)
        points = dataset.read(0, dataset.samples).numpy()
        modes = _mixture(dataset)
        panel.scatter(points[:, 0], points[:, 1], s=2, color=REAL, linewidths=0, label="samples")
        for centre in modes.centres:
            panel.add_patch(Circle(tuple(centre), 3 * modes.deviation, fill=False, color=FAKE, linewidth=0.8))
        panel.set_title(f"{name}: {modes.count} modes, {len(points):,} samples", fontsize=10)
        panel.set_aspect("equal")
    dataset = gandiag.load_dataset("ring8")
    modes = _mixture(dataset)
    points = dataset.read(0, dataset.samples).numpy()
    centre = modes.centres[0]
    near = points[np.hypot(*(points - centre).T) < 5 * modes.deviation]
    inside = np.hypot(*(near - centre).T) <= 3 * modes.deviation
    panels[2].plot(near[inside, 0], near[inside, 1], ".", color=REAL, markersize=4)
    panels[2].plot(near[~inside, 0], near[~inside, 1], "x", color=FAKE, markersize=4)
    panels[2].add_patch(Circle(tuple(centre), 3 * modes.deviation, fill=False, color=FAKE))
    panels[2].set_title("one mode of ring8: within 3 deviations", fontsize=10)
    panels[2].set_aspect("equal")
    panels[2].set_xticks([0.97, 1.0, 1.03])
    panels[2].set_yticks([-0.03, 0.0, 0.03])
    return figure


def fid_bias() -> Figure:
    """FID and its extrapolation against the number of samples, for two Gaussians whose distance is known."""
    dimension, draws = 32, 5
    scales = np.linspace(0.7, 1.3, dimension)
    shift = 0.15
    truth = dimension * shift**2 + float(((scales - 1) ** 2).sum())
    counts = [250, 500, 1000, 2000, 4000, 8000]
    found: dict[str, list[list[float]]] = {"fid": [], "fid_infinity": []}
    bars: list[tuple[float, float]] = []
    for count in counts:
        runs = []
        for number in range(draws):
            real = torch.from_numpy(seeds.normal(number, f"docs/real/{count}", 0, count, dimension))
            fake = torch.from_numpy(seeds.normal(number, f"docs/fake/{count}", 0, count, dimension) * scales + shift)
            runs.append(fid(real=real, fake=fake))
        for name, values in found.items():
            values.append([float(run[name].value or 0) for run in runs])
        low, high = runs[0]["fid_infinity"].ci95 or (0.0, 0.0)
        first = found["fid_infinity"][-1][0]
        bars.append((first - low, high - first))
    figure, panel = plt.subplots(figsize=(7.2, 3.8))
    panel.axhline(truth, color=GREY, linewidth=1, label=f"the true distance, {truth:.2f}")
    panel.plot(counts, np.mean(found["fid"], axis=1), "-o", color=FAKE, markersize=4, label="fid, mean of 5 draws")
    for values in np.array(found["fid"]).T:
        panel.plot(counts, values, "o", color=FAKE, markersize=2, alpha=0.5)
    firsts = [values[0] for values in found["fid_infinity"]]
    panel.errorbar(
        counts, firsts, np.transpose(bars), fmt="s", color=REAL, markersize=4, capsize=3, label="fid_infinity, one draw"
    )
    panel.set_xscale("log")
    panel.set_xticks(counts, [f"{count:,}" for count in counts])
    panel.minorticks_off()
    panel.set_xlabel("samples on each side")
    panel.set_ylabel("squared Frechet distance")
    panel.legend(frameon=False, fontsize=9)
    return figure


def precision_recall_balls() -> Figure:
    """Precision and recall in the plane: balls around one side, and which points of the other side lie in them."""
    count, k = 90, 3
    real = torch.from_numpy(seeds.uniform(0, "docs/balls/real", 0, count, 2) * 2 - 1) * torch.tensor([3.0, 1.6])
    fake = torch.from_numpy(seeds.normal(0, "docs/balls/fake", 0, count, 2)) * 0.55 + torch.tensor([2.5, 0.9])
    scores = precision_recall(real=real, fake=fake)
    figure, panels = plt.subplots(1, 2, figsize=(9.6, 3.9), sharex=True, sharey=True)
    sides = (
        ("precision", real, fake, REAL, FAKE, "balls around the real samples; fakes inside are filled"),
        ("recall", fake, real, FAKE, REAL, "balls around the fakes; real samples inside are filled"),
    )
    for panel, (name, centres, points, ball, dot, text) in zip(panels, sides, strict=True):
        _balls(panel, centres, points, ball, dot, k)
        panel.set_title(f"{name} = {scores[name].value:.2f}\n{text}", fontsize=9.5)
        panel.set_aspect("equal")
        panel.set_xlim(-3.8, 3.9)
        panel.set_ylim(-2.3, 2.7)
    return figure


def mode_kl_floor() -> Figure:
    """What a perfect generator scores: the floor of mode_kl against the number of samples, with its spread."""
    digits = gandiag.load_dataset("stacked-mnist").modes
    assert isinstance(digits, ClassModes)
    uniform = ClassModes(np.full(10, 0.1), channels=3)
    counts = np.unique(np.geomspace(1_000, 100_000, 25).astype(int))
    figure, panel = plt.subplots(figsize=(7.2, 3.8))
    for modes, colour, name in (
        (digits, REAL, "perfect copy of the digits' classes"),
        (uniform, GREY, "all 1,000 modes equally likely"),
    ):
        floors = [histogram.sampled_divergence(int(count), modes.probabilities()) for count in counts]
        mean, spread = (np.array([getattr(floor, part) for floor in floors]) for part in ("mean", "deviation"))
        panel.plot(counts, mean, color=colour, label=name)
        panel.fill_between(counts, mean - 2 * spread, mean + 2 * spread, color=colour, alpha=0.2, linewidth=0)
    dataset = gandiag.load_dataset("stacked-mnist", seed=1)
    measured = []
    for count in (2_500, 10_000, 26_000, 50_000):
        labels = dataset.labels(0, count)
        assert labels is not None
        logits = 20 * torch.nn.functional.one_hot(labels, 10).float()
        measured.append((count, mode_coverage(fake=logits, modes=digits)["mode_kl"].value))
    panel.plot(*zip(*measured, strict=True), "o", color=FAKE, markersize=5, label="real stacks, true labels")
    panel.axvline(26_000, color=GREY, linewidth=0.8, linestyle=":")
    panel.annotate("26,000, the default", (26_000, 0.35), (27_500, 0.35), fontsize=9, color="#444444")
    panel.set_xscale("log")
    panel.set_yscale("log")
    panel.set_xticks([1_000, 10_000, 100_000], ["1,000", "10,000", "100,000"])
    panel.set_yticks([0.01, 0.03, 0.1, 0.3], ["0.01", "0.03", "0.1", "0.3"])
    panel.minorticks_off()
    panel.set_xlabel("samples")
    panel.set_ylabel("mode_kl (nats)")
    panel.legend(frameon=False, fontsize=9, loc="lower left")
    return figure


def stacked_digits() -> Image.Image:
    """Samples of stacked-mnist, each channel one digit."""
    return _grid(gandiag.load_dataset("stacked-mnist").read(0, 32), columns=16, zoom=2)


def examples() -> Figure | None:
    """Samples of the two example checkpoints beside real ones; None where the checkpoints are not there."""
    folder = HOME / "examples" / "checkpoints"
    files = [folder / "dcgan-stacked-mnist.pt", folder / "dcgan-stacked-mnist-collapsed.pt"]
    if not all(file.exists() for file in files):
        return None
    sheets = [("real", gandiag.load_dataset("stacked-mnist").read(0, 36))]
    for title, file in zip(("the healthy example", "the collapsed example"), files, strict=True):
        sheets.append((title, checkpoint_source(gandiag.load_checkpoint(file)).read(0, 36)))
    figure, panels = plt.subplots(1, 3, figsize=(9.6, 3.5))
    for panel, (title, images) in zip(panels, sheets, strict=True):
        panel.imshow(np.asarray(_grid(images, columns=6, zoom=1)), interpolation="nearest")
        panel.set_title(title, fontsize=10)
        panel.axis("off")
    return figure


def _mixture(dataset: Dataset) -> MixtureModes:
    assert isinstance(dataset.modes, MixtureModes)
    return dataset.modes


def _balls(panel: Axes, centres: Tensor, points: Tensor, ball: str, dot: str, k: int) -> None:
    radii = neighbour_lists(centres, k)[0][:, k - 1].sqrt()
    for centre, radius in zip(centres.tolist(), radii.tolist(), strict=True):
        panel.add_patch(Circle((centre[0], centre[1]), radius, color=ball, alpha=0.10, linewidth=0))
    inside = (torch.cdist(points, centres) <= radii).any(dim=1)
    panel.plot(centres[:, 0], centres[:, 1], ".", color=ball, markersize=4)
    panel.plot(points[inside, 0], points[inside, 1], "o", color=dot, markersize=5)
    panel.plot(points[~inside, 0], points[~inside, 1], "o", color=dot, markersize=5, fillstyle="none")


def _grid(images: Tensor, columns: int, zoom: int) -> Image.Image:
    """Images (n, 3, H, W) as one picture."""
    border = 2
    _, channels, height, width = images.shape
    rows = math.ceil(len(images) / columns)
    sheet = torch.full((channels, rows * (height + border) + border, columns * (width + border) + border), 255)
    sheet = sheet.to(torch.uint8)
    for index, image in enumerate(images):
        row, column = divmod(index, columns)
        top, left = border + row * (height + border), border + column * (width + border)
        sheet[:, top : top + height, left : left + width] = image
    picture = Image.fromarray(sheet.permute(1, 2, 0).contiguous().numpy())
    return picture.resize((picture.width * zoom, picture.height * zoom), Image.Resampling.NEAREST)


PICTURES: dict[str, Callable[[], Figure | Image.Image | None]] = {
    "mixtures": mixtures,
    "fid-bias": fid_bias,
    "precision-recall": precision_recall_balls,
    "mode-kl-floor": mode_kl_floor,
    "stacked-digits": stacked_digits,
    "examples": examples,
}


if __name__ == "__main__":
    draw(PICTURES)
