"""Replay the logs through the detectors, and say how right they are: `python benchmarks/detectors/judge.py`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

HOME = Path(__file__).parent
sys.path.insert(0, str(HOME))

from curves import SCALES, curves, table  # noqa: E402
from replayed import judged, load  # noqa: E402
from summary import details, summarise, told  # noqa: E402

RUNS, ARCHIVE = HOME / "runs", HOME / "logs.tar.xz"
PAGE = HOME.parent.parent / "docs" / "alerts" / "accuracy.md"
TITLE = """# How right the alerts are

What the monitor's detectors say of runs whose outcome is known. `python benchmarks/detectors/judge.py` wrote this page;
`benchmarks/detectors/README.md` says what was trained and how it was judged. Thresholds were chosen on the tuning half
of the configurations, so the held-out half is the one to believe; rules were mended after faults of both halves.

- A run is **healthy**, **failed** or **ambiguous** by what became of it: modes reached, quality of the samples,
  gradients, what was finite. Its configuration decides nothing but known bugs, and the monitor nothing at all. A run
  may have several illnesses: a discriminator that wins takes the samples' variety.
- **Caught** is a run with a warning or worse. Its **first alarm** is right if the run has what it names.
- Intervals are Wilson's, of 95%.

![Healthy runs alarmed and ill runs caught, as thresholds are scaled](../images/alert-accuracy.png)
"""


def main() -> None:
    """Write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=Path, default=RUNS)
    parser.add_argument("--archive", type=Path, default=ARCHIVE)
    parser.add_argument("--out", type=Path, default=PAGE, help="the page")
    parser.add_argument("--json", type=Path, help="the counts and curves, for a picture or a test")
    parser.add_argument("--show", action="store_true", help="print it too, with every alarm on a healthy run")
    parser.add_argument("--no-curves", action="store_true", help="leave out what other thresholds would give")
    options = parser.parse_args()
    loaded = load(options.runs, options.archive)
    runs = judged(loaded)
    halves = [summarise(runs, half) for half in ("held-out", "tuning")]
    found = [] if options.no_curves else curves([each for each in loaded if each.truth["half"] == "held-out"])
    lines = [TITLE, *(line for half in halves for line in told(half)), *details(runs), *(table(found) if found else [])]
    text = "\n".join(lines).rstrip("\n") + "\n"
    options.out.write_text(text, encoding="utf-8")
    print(f"wrote {options.out}")
    if options.json:
        document = {
            "halves": [dataclasses.asdict(half) for half in halves],
            "scales": list(SCALES),
            "curves": [dataclasses.asdict(curve) for curve in found],
        }
        options.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if options.show:
        print(text)
        for run in runs:
            if run.truth["outcome"] == "healthy":
                for alert in run.alarms:
                    print(run.truth["configuration"], run.truth["seed"], alert.step, alert.kind, alert.message)


if __name__ == "__main__":
    main()
