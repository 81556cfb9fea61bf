"""Does each fault of the reference models give its illness, and the same run without it none?

    python benchmarks/faults.py                              # ten seeds, up to three minutes a run: hours
    python benchmarks/faults.py --only wrong_sign,momentum
    python benchmarks/faults.py --docs                       # the table so far into docs/fault-results.md

A run with a fault ends at the first warning or worse that names its illness, but one that is not to settle goes on.
Then its generator is looked at, without the monitor: how much its samples differ, and how far they still move. A
control is the same recipe, data and seed, and goes on to the time's end or the recipe's. Stop it when you like: a run
that is done is a row in benchmarks/rows.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import json
import math
import shutil
import statistics
import sys
import textwrap
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from gandiag import Alert

from ledger import ROOT, ROWS, Ledger, write_page

sys.path[0] = str(ROOT)  # not this folder, where other benchmarks have the names of packages
PAGE = ROOT / "docs" / "fault-results.md"
SHOWN = 256  # samples whose distances are compared
APART = 100  # steps between two looks at the samples of the same noise
LOOKS = 11  # the last ones, of which the median way counts
FRESH = 10  # the first seed on which nothing was chosen
UNSETTLED = 0.25  # of the mean distance of real samples, which samples still move between looks


PROSE = f"""\
Made by `python benchmarks/faults.py --docs`: runs of up to {{minutes:g}} minutes on one core, over seeds. A run
with a fault ends at the first alert, a warning or worse, that names its illness; where the illness is that nothing
settles, it goes on. Its control is the same run without the fault, to the recipe's end or the same time. By the
generator at the end: diversity is the mean distance between samples over that between real ones; way is what samples
of the same noise move in {APART} steps, in the same unit. What is not to settle is ill if it is named and its way is
{UNSETTLED:g} or more. The faults, their runs and the kinds of alert that name them were chosen on runs of other seeds
than those shown here. Other processes ran beside."""


@dataclass(frozen=True)
class Case:
    """A fault and the run it is put into.

    Attributes:
        fault: its name.
        recipe: of the run.
        dataset: of the run.
        kinds: of the alerts that name its illness, any of them.
        unsettled: whether the illness is that samples move on and on, which alone makes the run ill.
    """

    fault: str
    recipe: str
    dataset: str
    kinds: tuple[str, ...]
    unsettled: bool = False


LOST = ("vanishing_gradient", "overpowering_discriminator")
CASES = (
    Case("tiny_latent", "vanilla", "mnist", ("mode_collapse",)),
    Case("weak_discriminator", "vanilla", "mnist", ("mode_collapse",)),
    Case("many_generator_steps", "vanilla", "mnist", ("mode_collapse",)),
    Case("saturating_strong_d", "vanilla", "mnist", LOST),
    Case("mixed_batch_norm", "dcgan", "mnist", LOST),
    Case("greedy_discriminator", "dcgan", "mnist", LOST),
    Case("momentum", "vanilla", "ring8", ("non_convergence", "mode_collapse"), unsettled=True),
    Case("simultaneous", "vanilla", "ring8", ("non_convergence", "mode_collapse"), unsettled=True),
    Case("lazy_penalty", "r3gan", "ring8", ("non_convergence", "mode_collapse"), unsettled=True),
    Case("high_rate", "vanilla", "mnist", ("exploding_gradient", "non_finite")),
    Case("memorising_discriminator", "dcgan", "mnist", ("discriminator_overfitting",)),
    Case("frozen_discriminator", "vanilla", "mnist", ("broken_loop",)),
    Case("wrong_sign", "vanilla", "mnist", ("broken_loop",)),
)


@dataclass(frozen=True)
class Job:
    """One run: with a fault, or the control of all faults of a recipe and dataset."""

    recipe: str
    dataset: str
    seed: int
    case: Case | None = None

    @property
    def name(self) -> str:
        return f"{self.recipe}-{self.dataset}-{self.case.fault if self.case else 'control'}-{self.seed}"

    def settings(self) -> dict[str, Any]:
        """All that decides the run."""
        from reference_models.recipe import load_recipe

        recipe = load_recipe(self.recipe, self.dataset, self.case.fault if self.case else None)
        return {"recipe": asdict(recipe), "kinds": self.case.kinds if self.case else ()}


class _Seen(Exception):
    """What was waited for has come."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what is left to do, and show the table."""
    options = _options(arguments)
    chosen = [case for case in CASES if not options.only or case.fault in options.only]
    pairs = dict.fromkeys((case.recipe, case.dataset) for case in chosen)
    ledger, rows = Ledger(options.rows), []
    for seed in range(options.first, options.first + options.seeds):
        jobs = [Job(case.recipe, case.dataset, seed, case) for case in chosen]
        jobs += [] if options.no_controls else [Job(recipe, dataset, seed) for recipe, dataset in pairs]
        for job in jobs:
            settings = job.settings()
            row = ledger.find(job.name, settings)
            if row is None and not options.collect:
                print(f"{job.name} ...", file=sys.stderr, flush=True)
                row = run(job, options.out / job.name, options.minutes)
                print(json.dumps(row), file=sys.stderr, flush=True)
                ledger.add(job.name, settings, row)
            if row is not None:
                rows.append(row)
    text = page(rows, options.minutes)
    if options.docs:
        write_page(PAGE, text, rows)
    print(text)
    return 0


def run(job: Job, folder: Path, minutes: float) -> dict[str, Any]:
    """Train until the illness is named, the time is over or the recipe's steps are done."""
    import torch

    from gandiag import GandiagError, TrainingProgress, TrainingRequest, load_dataset
    from gandiag.core.run_log import GrowingLog, read_run_log
    from reference_models.trainer import decide
    from reference_models.training import seeds
    from reference_models.training.data import to_range
    from reference_models.training.drive import drive
    from reference_models.training.loops import prepare
    from reference_models.training.preview import save_grid, save_scatter

    torch.set_num_threads(1)
    shutil.rmtree(folder, ignore_errors=True)
    fault = job.case.fault if job.case else None
    wanted = job.case.kinds if job.case else ()
    goes_on = job.case is None or job.case.unsettled
    asked = TrainingRequest(job.recipe, folder, job.dataset, seed=job.seed, fault=fault, monitor=True)
    chosen, config = decide(asked)
    course = prepare(chosen)
    noise = torch.randn(SHOWN, chosen.recipe.prior.dim, generator=torch.Generator().manual_seed(job.seed))
    real = to_range(load_dataset(job.dataset).read(0, SHOWN))
    began, log = time.monotonic(), GrowingLog(folder / "run.jsonl")
    looks: list[Tensor] = []

    def names(alert: Alert) -> bool:
        return alert.kind in wanted and alert.severity != "info"

    def samples() -> Tensor:
        with torch.no_grad(), seeds.fixed(chosen.device, job.seed, "look"):
            made: Tensor = copy.deepcopy(course.state.generator)(noise)
        return made

    def look(progress: TrainingProgress) -> None:
        if progress.step % APART == 0:
            looks.append(samples())
            del looks[:-LOOKS]
        if progress.step % 20 == 0:
            log.update()
            named = not goes_on and any(names(alert) for alert in log.alerts)
            if named or time.monotonic() - began > 60 * minutes:
                raise _Seen

    with contextlib.suppress(_Seen, GandiagError):  # a run that is no longer finite ends with an error
        drive(chosen, lambda crew: course, look, config, resume=False)
    seconds = time.monotonic() - began
    fake = samples()
    if fake.ndim == 2:
        save_scatter(folder / "last.png", real, fake)
    else:
        save_grid(folder / "last.png", fake[:64])
    alerts = read_run_log(folder).alerts
    named = [alert for alert in alerts if names(alert)]
    return {
        "fault": fault,
        "recipe": job.recipe,
        "dataset": job.dataset,
        "seed": job.seed,
        "steps": course.state.step,
        "seconds": round(seconds, 1),
        "at": named[0].step if named else None,
        "kinds": list(dict.fromkeys(f"{alert.kind} {alert.severity}" for alert in alerts)),
        "diversity": _finite(_apart(fake) / _apart(real)),
        "moved": _finite(statistics.median([_way(*pair) for pair in pairwise(looks)] or [math.nan]) / _apart(real)),
    }


def _apart(samples: Tensor) -> float:
    """Mean distance between samples."""
    import torch

    return float(torch.pdist(samples.flatten(1).double()).mean())


def _way(before: Tensor, after: Tensor) -> float:
    """Mean distance between samples of the same noise."""
    return float((after - before).flatten(1).double().norm(dim=1).mean())


def _finite(value: float) -> float | None:
    return round(value, 4) if math.isfinite(value) else None


def page(rows: Sequence[Mapping[str, Any]], minutes: float) -> str:
    """The documentation's page: a line for each fault, over the seeds."""
    lines = [
        "# What the faults do",
        "",
        *textwrap.wrap(PROSE.format(minutes=minutes), 118),
        "",
        "| fault | in | named by | ill | at step | diversity | way | controls ill | their diversity | their way |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for case in CASES:
        ill = [row for row in rows if row["fault"] == case.fault]
        if not ill:
            continue
        well = [
            row for row in rows if not row["fault"] and (row["recipe"], row["dataset"]) == (case.recipe, case.dataset)
        ]
        named = [row for row in ill if alarms(row) & {*case.kinds}]
        right = [row for row in named if not case.unsettled or (row["moved"] or 0) >= UNSETTLED]
        wrong = [row for row in well if alarms(row) & {*case.kinds}]
        told = {kind: sum(kind in alarms(row) for row in ill) for kind in case.kinds}
        kinds = ", ".join(f"[{kind}](alerts/{kind}.md) {count}" for kind, count in told.items())
        lines.append(
            f"| `{case.fault}` | `{case.recipe}` on {case.dataset} | {kinds} | {len(right)} of {len(ill)} "
            f"| {_middle(named, 'at')} | {_middle(ill, 'diversity')} | {_middle(ill, 'moved')} "
            f"| {len(wrong)} of {len(well)} | {_middle(well, 'diversity')} | {_middle(well, 'moved')} |"
        )
    lines += [
        "",
        "Behind a kind of alert: in how many runs it was raised. Others are medians, with the smallest and largest.",
        "",
    ]
    return "\n".join(lines)


def alarms(row: Mapping[str, Any]) -> set[str]:
    """The kinds of alert that were a warning or worse; an `info` by itself is no illness."""
    return {kind for kind, severity in (each.split() for each in row["kinds"]) if severity != "info"}


def _middle(rows: Sequence[Mapping[str, Any]], key: str) -> str:
    values = [row[key] for row in rows if row[key] is not None]
    if not values:
        return ""
    digits = 0 if key == "at" else 2
    if len(values) == 1:
        return f"{values[0]:,.{digits}f}"
    return f"{statistics.median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=3.0, help="of training at most, each run (default 3)")
    parser.add_argument("--seeds", type=int, default=10, help="how many (default 10)")
    parser.add_argument(
        "--first", type=int, default=FRESH, help=f"seed (default {FRESH}: the faults were chosen on others)"
    )
    parser.add_argument("--only", type=_names, default=(), help="faults, separated by commas")
    parser.add_argument("--no-controls", action="store_true", help="runs with a fault alone")
    parser.add_argument("--out", type=Path, default=Path("runs") / "faults", help="where runs go")
    parser.add_argument("--rows", type=Path, default=ROWS / "faults.jsonl", help="the file of what they gave")
    parser.add_argument("--collect", action="store_true", help="train nothing: show the rows that are there")
    parser.add_argument("--docs", action="store_true", help=f"write the table into {PAGE.relative_to(ROOT)}")
    return parser.parse_args(arguments)


def _names(text: str) -> tuple[str, ...]:
    names, known = tuple(name.strip() for name in text.split(",")), [case.fault for case in CASES]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}; known: {', '.join(known)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
