"""Draw what reference models make: `python tools/draw_recipes.py [NAME ...]`, of what is in runs.

    gandiag train progressive --out runs/pictures/progressive --steps 1800 --set preview_every=100
        --set generator.config.width=16 --set discriminator.config.width=16
        --set techniques.progressive_growing.stage=400 --set techniques.progressive_growing.fade=200
    gandiag train stylegan --steps 5500 --out runs/pictures/stylegan
    python benchmarks/recipes.py --only cyclegan --seeds 1
    python benchmarks/faults.py --seeds 1

A picture whose run is not there is left out.
"""

from __future__ import annotations

import torch
from drawing import FAKE, HOME, draw
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

from gandiag import load_checkpoint
from reference_models.networks.generators import stylegan
from reference_models.training.preview import BORDER

RUNS = HOME / "runs" / "pictures"
BENCHMARK = HOME / "runs" / "reference-models"
FAULTS = HOME / "runs" / "faults"
SIDE = 28
ROWS, COLUMNS = 6, 8


def progressive_growth() -> Figure | None:
    """The same latents at several steps of a run of `progressive`."""
    folder = RUNS / "progressive"
    previews = sorted((folder / "samples").glob("step-*.png")) if folder.exists() else []
    if not previews:
        return None
    chosen = [previews[round(place * (len(previews) - 1) / (ROWS - 1))] for place in range(ROWS)]
    figure, panels = plt.subplots(ROWS, 1, figsize=(6.2, 5.2))
    for panel, path in zip(panels, chosen, strict=True):
        step = int(path.stem.removeprefix("step-"))
        grid = Image.open(path).crop((0, 0, BORDER + COLUMNS * (SIDE + BORDER), SIDE + 2 * BORDER))
        _show(panel, grid)
        panel.set_ylabel(f"step\n{step:,}", rotation=0, ha="right", va="center", fontsize=8)
    return figure


def style_mixing() -> Figure | None:
    """Rows give the styles of the first layers, columns those of the others."""
    path = RUNS / "stylegan" / "checkpoint.pt"
    if not path.exists():
        return None
    found = load_checkpoint(path)
    network = stylegan.build(**found.config)
    network.load_state_dict(found.generator_ema or found.generator)
    network.eval()
    noise = torch.randn(2 * COLUMNS, found.config["latent_dim"], generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        styles = network.styles(noise)
        figure, panels = plt.subplots(1, 2, figsize=(9.6, 4.6))
        for panel, crossing in zip(panels, (1, 3), strict=True):
            rows, columns = styles[:ROWS], styles[COLUMNS : 2 * COLUMNS]
            lines = [torch.cat([torch.ones(1, 1, SIDE, SIDE), network.synthesise(columns)])]
            for row in rows:
                mixed = columns.clone()
                mixed[:, :crossing] = row[:crossing]
                lines.append(torch.cat([network.synthesise(row[None]), network.synthesise(mixed)]))
            sheet = torch.cat([torch.cat(list(line[:, 0]), 1) for line in lines])
            panel.imshow((sheet + 1) / 2, cmap="gray", vmin=0, vmax=1)
            panel.axhline(SIDE - 0.5, color=FAKE, linewidth=1)
            panel.axvline(SIDE - 0.5, color=FAKE, linewidth=1)
            first = "first layer" if crossing == 1 else f"first {crossing} layers"
            panel.set_title(f"{first} of {styles.shape[1]} from the left, others from above")
            panel.set_axis_off()
    return figure


def cyclegan() -> Image.Image | None:
    """The last preview of five minutes of `cyclegan`, twice as large."""
    previews = sorted(BENCHMARK.glob("cyclegan-mnist-5min-0-*/samples/step-*.png"))
    if not previews:
        return None
    picture = Image.open(previews[-1]).convert("RGB")
    return picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.NEAREST)


def faults() -> Figure | None:
    """What the generator makes at the end of a run with each fault, and without."""
    pictures = sorted(FAULTS.glob("*-10/last.png")) if FAULTS.exists() else []
    if not pictures:
        return None
    columns = 6
    figure, panels = plt.subplots(
        -(-len(pictures) // columns), columns, figsize=(10.2, 2.0 * -(-len(pictures) // columns))
    )
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, path in zip(panels.flat, pictures, strict=False):
        recipe, dataset, fault, _ = path.parent.name.split("-")
        _show(panel, Image.open(path))
        panel.set_axis_on()
        panel.set_title(f"{fault}\n{recipe}, {dataset}", fontsize=7)
    return figure


def _show(panel: plt.Axes, picture: Image.Image) -> None:
    panel.imshow(picture, cmap="gray" if picture.mode == "L" else None)
    panel.set_xticks([])
    panel.set_yticks([])
    for side in panel.spines.values():
        side.set_visible(False)


if __name__ == "__main__":
    draw(
        {
            "progressive-growth": progressive_growth,
            "style-mixing": style_mixing,
            "cyclegan": cyclegan,
            "faults": faults,
        }
    )
