"""What the tools that draw pictures for the documentation share. matplotlib is in the extra `docs`."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import matplotlib as mpl
from PIL import Image

mpl.use("agg")
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

HOME = Path(__file__).parent.parent
IMAGES = HOME / "docs" / "images"
REAL, FAKE, GREY = "#1f5fa8", "#d1601f", "#8a8a8a"
COLOURS = 96  # of a picture's palette, which keeps the files small


def draw(pictures: Mapping[str, Callable[[], Figure | Image.Image | None]]) -> None:
    """Draw the pictures that the command line names, or all, as small PNGs into docs/images."""
    plt.rcParams.update({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False})
    IMAGES.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or pictures:
        drawn = pictures[name]()
        if drawn is None:
            print(f"{name}: left out, its files are not there")
            continue
        if isinstance(drawn, Figure):
            drawn.tight_layout()
            buffer = io.BytesIO()
            drawn.savefig(buffer, format="png", dpi=100)
            plt.close(drawn)
            drawn = Image.open(buffer)
        path = IMAGES / f"{name}.png"
        drawn.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        print(f"{path.relative_to(HOME)}: {path.stat().st_size / 1000:.0f} kB")
