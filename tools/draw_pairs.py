"""Draw how many modes the runs of `benchmarks/pairs.py` cover, with a technique and without, from the kept rows."""

from __future__ import annotations

import sys

from drawing import FAKE, GREY, HOME, REAL, draw
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

sys.path.append(str(HOME / "benchmarks"))

from ledger import ROWS, Ledger
from pairs import HARD, NARROW, Pair, Side, rows_of

SEEDS = 100  # more than there are


def promised_pairs() -> Figure:
    """A panel for each base, a line for each technique, a dot for each seed."""
    ledger = Ledger(ROWS / "pairs.jsonl")
    lines: dict[Side, dict[str, list[float]]] = {}
    for pair in HARD:
        mine = lines.setdefault(pair.base, {"nothing": _modes(pair, pair.base, ledger)})
        mine[pair.name] = _modes(pair, pair.changed, ledger)
    shown = {base: {name: modes for name, modes in mine.items() if modes} for base, mine in lines.items()}
    heights = [len(mine) for mine in shown.values()]
    figure, panels = plt.subplots(len(shown), 1, figsize=(7.4, 0.7 + 0.45 * sum(heights)), height_ratios=heights)
    for panel, (base, mine) in zip(panels, shown.items(), strict=True):
        for place, (name, modes) in enumerate(mine.items()):
            colour = GREY if name == "nothing" else REAL
            panel.scatter(modes, [place] * len(modes), color=colour, alpha=0.6, linewidths=0, s=36)
            panel.scatter(sum(modes) / len(modes), place, marker="|", color=FAKE, s=220, linewidths=2)
        panel.set_yticks(range(len(mine)), [f"with {name}" for name in mine])
        panel.set_ylim(len(mine) - 0.5, -0.5)
        panel.set_xlim(-15, 1000)
        panel.set_title(f"{base.recipe}, {'narrow discriminator' if base is NARROW else 'no norm'}", loc="left")
    panels[-1].set_xlabel("modes covered, of 1,000; a dot is a seed, a bar their mean")
    return figure


def _modes(pair: Pair, side: Side, ledger: Ledger) -> list[float]:
    return [row["scores"]["modes"] for row in rows_of(pair, side, SEEDS, ledger)]


if __name__ == "__main__":
    draw({"promised-pairs": promised_pairs})
