"""Draw how right the alerts are: `python tools/draw_alerts.py`, after `benchmarks/detectors/judge.py --json FILE`.

It reads the counts from benchmarks/detectors/accuracy.json.
"""

from __future__ import annotations

import json

from drawing import FAKE, HOME, REAL, draw
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

COUNTS = HOME / "benchmarks" / "detectors" / "accuracy.json"


def alert_accuracy() -> Figure | None:
    """For each main threshold, scaled: the share of healthy runs alarmed, and of ill runs caught."""
    if not COUNTS.exists():
        return None
    document = json.loads(COUNTS.read_text(encoding="utf-8"))
    curves, scales = document["curves"], document["scales"]
    columns = 5
    rows = -(-len(curves) // columns)
    figure, panels = plt.subplots(rows, columns, figsize=(10.2, 2.15 * rows), sharex=True, sharey=True)
    for panel, curve in zip(panels.flat, curves, strict=True):
        healthy, ill = (
            [100 * point[side] / max(curve[name], 1) for point in curve["points"]]
            for side, name in enumerate(("healthy", "ill"))
        )
        panel.axvline(1, color="0.8", linewidth=1)
        panel.plot(scales, ill, "o-", color=REAL, markersize=3, label="ill runs caught")
        panel.plot(scales, healthy, "o-", color=FAKE, markersize=3, label="healthy runs alarmed")
        panel.set_xscale("log", base=2)
        panel.set_xticks([0.25, 0.5, 1, 2, 4], ["¼", "½", "1", "2", "4"])
        panel.set_ylim(-4, 104)
        panel.set_title(f"{curve['kind']}\n{curve['threshold']}, {curve['ill']} ill", fontsize=8)
    for panel in panels[-1]:
        panel.set_xlabel("times its default")
    for row in panels:
        row[0].set_ylabel("% of runs")
    panels[0][0].legend(frameon=False, fontsize=7, loc="center left")
    return figure


PICTURES = {"alert-accuracy": alert_accuracy}


if __name__ == "__main__":
    draw(PICTURES)
