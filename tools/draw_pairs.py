"""Draw how many modes the runs of `benchmarks/pairs.py` cover, with a technique and without, from the kept rows."""

from __future__ import annotations

import sys

from drawing import FAKE, GREY, HOME, REAL, draw
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

sys.path.append(str(HOME / "benchmarks"))

from ledger import ROWS, Ledger
from pairs import HARD, Side, rows_of

SEEDS = 100  # more than there are


def promised_pairs() -> Figure:
    """A panel for each base, a line for each technique, a dot for each seed."""
    ledger = Ledger(ROWS / "pairs.jsonl")
    bases = list(dict.fromkeys(pair.base for pair in HARD))
    heights = [1 + sum(pair.base == base for pair in HARD) for base in bases]
    figure, panels = plt.subplots(len(bases), 1, figsize=(7.4, 0.7 + 0.5 * sum(heights)), height_ratios=heights)
    for panel, base in zip(panels, bases, strict=True):
        pairs = [pair for pair in HARD if pair.base == base]
        lines: list[tuple[str, Side]] = [("nothing", base), *((pair.name, pair.changed) for pair in pairs)]
        for place, (_, side) in enumerate(lines):
            rows = rows_of(pairs[0], side, SEEDS, ledger)
            modes = [row["scores"]["modes"] for row in rows]
            colour = GREY if side is base else REAL
            panel.scatter(modes, [place] * len(modes), color=colour, alpha=0.6, linewidths=0, s=36)
            panel.scatter(sum(modes) / len(modes), place, marker="|", color=FAKE, s=220, linewidths=2)
        panel.set_yticks(range(len(lines)), [f"with {name}" for name, _ in lines])
        panel.set_ylim(len(lines) - 0.5, -0.5)
        panel.set_xlim(0, 1000)
        panel.set_title(f"{base.recipe}, {pairs[0].steps:,} steps", loc="left", fontsize=9)
    panels[-1].set_xlabel("modes covered, of 1,000; a dot is a seed, a bar their mean")
    return figure


if __name__ == "__main__":
    draw({"promised-pairs": promised_pairs})
