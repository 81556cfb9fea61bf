"""What the literature promises of a technique, beside the same run without it, by seeds.

    python benchmarks/pairs.py                       # three seeds: an hour and a half
    python benchmarks/pairs.py --seeds 10            # as many as the paper of packing took
    python benchmarks/pairs.py --only packing
    python benchmarks/pairs.py --seeds 10 --collect --docs  # the rows so far into docs/promised-pairs.md

Stop it when you like: a run that is done is a row in benchmarks/rows, one that is under way is resumed. The last part
trains a Wasserstein GAN, scores it as it goes, and asks how well the critic's loss follows the score.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger import ROOT, ROWS, Ledger, write_page
from recipes import Job, done

PAGE = ROOT / "docs" / "promised-pairs.md"
CRITICS = ("wgan", "wgan_gp", "dcgan")  # whose loss is asked for; the last makes no such promise
DIGITS, EVERY, LOOKS, SAMPLES = "mnist", 50, 16, 1000
FOLLOWED = (f"steps={LOOKS * EVERY}", "decay_from=1", "ema=0.9")


@dataclass(frozen=True)
class Side:
    """One of the two runs that are compared: a recipe, and what is changed of it."""

    recipe: str
    variant: str
    overrides: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pair:
    """A promise: `changed` covers more modes of the dataset than `base` in the same number of steps."""

    name: str
    source: str
    dataset: str
    steps: int
    base: Side
    changed: Side


PROMISES = {
    "packing": "arXiv:1712.04086",
    "minibatch discrimination": "arXiv:1606.03498",
    "minibatch standard deviation": "arXiv:1710.10196",
    "relativistic loss": "arXiv:2501.05441",
}
CHANCE = 0.05
PACKED = "techniques.packing.samples=2"
PACKED_IMAGES = (PACKED, "batch_size=128")  # as many packs as there were samples, as in the paper's code
PACKED_POINTS = (PACKED, "batch_size=256")
DISCRIMINATION = "techniques.minibatch_discrimination={}"
DEVIATION = "techniques.minibatch_standard_deviation={}"
RELATIVISTIC = "loss=relativistic"
# No penalties, which cover modes by themselves, and no batch norm in the discriminator, which hides from the minibatch
# techniques how much a batch differs.
BARE = (
    "loss=non_saturating",
    "penalties.r1.weight=0",
    "penalties.r2.weight=0",
    "discriminator.config.norm=none",
)
WIDE = Side("dcgan", "wide", BARE)
NARROW = Side("dcgan", "narrow", (*BARE, "discriminator.config.width=4"))  # after arXiv:1712.04086, table 3
POINTS = Side("vanilla", "bare", ("penalties.r1.weight=0",))
UNPAIRED = Side("r3gan", "unpaired", ("loss=non_saturating",))
NORMLESS = Side("r3gan", "normless", (*UNPAIRED.overrides, "generator.config.norm=none"))  # after arXiv:2501.05441


def _pair(promise: str, dataset: str, steps: int, base: Side, *change: str) -> Pair:
    """The base, and the same with a change."""
    changed = Side(base.recipe, f"{base.variant}-{promise.replace(' ', '-')}", (*base.overrides, *change))
    return Pair(promise, PROMISES[promise], dataset, steps, base, changed)


HARD = (
    _pair("packing", "stacked-mnist", 1200, NARROW, *PACKED_IMAGES),
    _pair("minibatch discrimination", "stacked-mnist", 1200, NARROW, DISCRIMINATION),
    _pair("minibatch standard deviation", "stacked-mnist", 1200, NARROW, DEVIATION),
    _pair("relativistic loss", "stacked-mnist", 1200, NARROW, RELATIVISTIC),
    _pair("relativistic loss", "stacked-mnist", 800, NORMLESS, RELATIVISTIC),
)
EASY = (
    _pair("packing", "grid25", 9000, POINTS, *PACKED_POINTS),
    _pair("packing", "stacked-mnist", 1200, WIDE, *PACKED_IMAGES),
    _pair("minibatch discrimination", "stacked-mnist", 1200, WIDE, DISCRIMINATION),
    _pair("minibatch standard deviation", "stacked-mnist", 1200, WIDE, DEVIATION),
    _pair("relativistic loss", "stacked-mnist", 600, UNPAIRED, RELATIVISTIC),
)
BEDS = {
    "A narrow discriminator, or a generator without norm": HARD,
    "A discriminator of its usual width": EASY,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is left to do, and show the table."""
    options = _options(arguments)
    beds = {
        bed: [pair for pair in pairs if not options.only or pair.name in options.only] for bed, pairs in BEDS.items()
    }
    if options.threads is not None:
        import torch

        torch.set_num_threads(options.threads)
    ledger = Ledger(options.rows)
    found = {
        side: rows_of(pair, side, options.seeds, ledger, None if options.collect else options.out)
        for pairs in beds.values()
        for pair in pairs
        for side in (pair.base, pair.changed)
    }
    losses = [] if options.only else tracked(ledger, None if options.collect else options.out, options.seeds)
    text = page(beds, found, losses)
    if options.docs:
        write_page(PAGE, text, [row for rows in found.values() for row in rows])
    print(text)
    return 0


def rows_of(pair: Pair, side: Side, seeds: int, ledger: Ledger, out: Path | None = None) -> list[dict[str, Any]]:
    """The rows of one side of a pair; what is missing is run into `out`, or left out if that is None."""
    jobs = [
        Job(side.recipe, pair.dataset, seed, overrides=side.overrides, variant=side.variant, steps=pair.steps)
        for seed in range(seeds)
    ]
    return done(jobs, ledger, out, None)


def tracked(ledger: Ledger, out: Path | None, seeds: int) -> list[dict[str, Any]]:
    """Of each run of a critic: its loss between two scores, and the scores; `out` as in `rows_of`."""
    rows = []
    for seed in range(seeds):
        for recipe in CRITICS:
            name, settings = f"critic-{recipe}-{seed}", Job(recipe, DIGITS, seed, overrides=FOLLOWED).settings()
            row = ledger.find(name, settings)
            if row is None and out is not None:
                row = follow(recipe, seed, out / name)
                ledger.add(name, settings, row)
            if row is not None:
                rows.append(row)
    return rows


def follow(recipe: str, seed: int, folder: Path) -> dict[str, Any]:
    """Train with a score every few steps; how well the discriminator's loss between scores goes with them."""
    from scipy.stats import spearmanr

    from gandiag import TrainingProgress, TrainingRequest
    from reference_models.trainer import TRAINER

    shutil.rmtree(folder, ignore_errors=True)
    sums = [0.0] * LOOKS

    def look(progress: TrainingProgress) -> None:
        sums[(progress.step - 1) // EVERY] += progress.values["discriminator_loss"] / EVERY

    asked = TrainingRequest(
        recipe,
        folder,
        DIGITS,
        seed=seed,
        overrides=FOLLOWED,
        evaluate_every=EVERY,
        metrics=("fid",),
        evaluate_samples=SAMPLES,
    )
    TRAINER.train(asked, look)
    lines = (folder / "evaluations.jsonl").read_text(encoding="utf-8").splitlines()
    fid = [json.loads(line)["scores"]["fid"] for line in lines]
    # A critic's loss is minus its estimate of the distance, which falls as the samples get better.
    found = float(spearmanr([-loss for loss in sums], fid).statistic)
    return {"recipe": recipe, "seed": seed, "loss": sums, "fid": fid, "spearman": found}


def page(
    beds: Mapping[str, Sequence[Pair]],
    found: Mapping[Side, Sequence[Mapping[str, Any]]],
    losses: Sequence[Mapping[str, Any]],
) -> str:
    """The documentation's page: a table for each bed, with a line for each side of each pair."""
    lines = [
        "# What techniques promise",
        "",
        "Made by `python benchmarks/pairs.py --seeds 10 --docs`, as far as it has come: the same run with and",
        "without a technique, for the same number of steps. Means over the seeds, with the smallest and largest.",
        "The promise is that the technique covers more modes. p is how often chance would make the mean so much",
        f"higher, by permutations of the runs: the promise is kept if that is {CHANCE:g} at most, and not clear if",
        "the mean is higher all the same.",
        "",
        "![Modes that each run covers, with each technique and without](images/promised-pairs.png)",
    ]
    for bed, pairs in beds.items():
        lines += ["", f"## {bed}"]
        for base in dict.fromkeys(pair.base for pair in pairs):
            tried = [pair for pair in pairs if pair.base == base and found[pair.changed]]
            if found[base] and tried:
                lines += _table(base, tried, found)
    lines += [
        "",
        "## The critic's loss",
        "",
        f"Does minus the discriminator's loss, a mean over {EVERY} steps, fall with the FID ({SAMPLES} samples) of the",
        f"generator after them? Spearman's rank correlation over the first {LOOKS * EVERY} steps on {DIGITS}. The loss",
        "of a Wasserstein critic is an estimate of a distance (arXiv:1701.07875, section 4.2); that of others is not.",
        "",
        "| recipe | seeds | rank correlation |",
        "| --- | --- | --- |",
    ]
    for recipe in CRITICS:
        values = [row["spearman"] for row in losses if row["recipe"] == recipe]
        if values:
            spread = f"{min(values):.2f} to {max(values):.2f}"
            lines.append(f"| `{recipe}` | {len(values)} | {statistics.fmean(values):.2f} ({spread}) |")
    return "\n".join([*lines, ""])


def _table(base: Side, pairs: Sequence[Pair], found: Mapping[Side, Sequence[Mapping[str, Any]]]) -> list[str]:
    """The run without any technique, and under it each of those with one."""
    first = pairs[0]
    without = found[base]
    return [
        "",
        f"`{base.recipe}` on {first.dataset}, {first.steps:,} steps, {_sets(base.overrides)}:",
        "",
        "| with | source | by | seeds | seconds | modes | KL | kept |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
        f"| nothing | | | {_cells(without)} | |",
        *(
            f"| {pair.name} | {pair.source} | {_sets(pair.changed.overrides[len(base.overrides) :])} "
            f"| {_cells(found[pair.changed])} | {_kept(without, found[pair.changed])} |"
            for pair in pairs
        ),
    ]


def _sets(overrides: Sequence[str]) -> str:
    return " ".join(f"`--set {each}`" for each in overrides)


def _cells(rows: Sequence[Mapping[str, Any]]) -> str:
    seconds = statistics.fmean(row["seconds"] for row in rows)
    return f"{len(rows)} | {seconds:.0f} | {_spread(rows, 'modes', 0)} | {_spread(rows, 'mode_kl', 2)}"


def _kept(base: Sequence[Mapping[str, Any]], changed: Sequence[Mapping[str, Any]]) -> str:
    """Whether more modes are covered in the mean, and how often chance alone would make so many more."""
    import numpy as np
    from scipy.stats import permutation_test

    without, having = ([row["scores"]["modes"] for row in rows] for rows in (base, changed))
    if statistics.fmean(having) <= statistics.fmean(without):
        return "no"
    if min(len(without), len(having)) < 2:
        return "not clear"

    def more(left: Any, right: Any) -> float:
        return float(np.mean(left) - np.mean(right))

    found = permutation_test((having, without), more, alternative="greater", rng=np.random.default_rng(0))
    chance = "p < 0.001" if found.pvalue < 0.001 else f"p = {found.pvalue:.3f}"
    return f"{'yes' if found.pvalue <= CHANCE else 'not clear'}, {chance}"


def _spread(rows: Sequence[Mapping[str, Any]], key: str, digits: int) -> str:
    values = [row["scores"][key] for row in rows]
    return f"{statistics.fmean(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3, help="how many (default 3)")
    parser.add_argument("--only", action="append", choices=[*PROMISES], help="a pair; may be repeated")
    parser.add_argument("--threads", type=int, help="of PyTorch")
    parser.add_argument("--out", type=Path, default=Path("runs") / "pairs", help="where runs go")
    parser.add_argument("--rows", type=Path, default=ROWS / "pairs.jsonl", help="the file of what they gave")
    parser.add_argument("--collect", action="store_true", help="train nothing: show the rows that are there")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
