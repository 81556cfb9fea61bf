"""`gandiag gate`: a Result, or a source that is scored first, held to a policy; the exit code is the verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import COUNT, Scoring, debug_option, scoring_options
from gandiag.cli.unused import given_options, refuse_given, scoring_names
from gandiag.core.errors import printable

if TYPE_CHECKING:
    from gandiag.core.protocols import ProgressCallback
    from gandiag.core.result import Result
    from gandiag.evaluation.scorer import Settings
    from gandiag.gates.policy import Policy
    from gandiag.gates.verdict import Verdict

    SettingsMaker = Callable[[str, ProgressCallback], Settings]

COLOURS = {"passed": "green", "failed": "red", "inconclusive": "yellow"}
SCORING = {*scoring_names(), "metrics", "against", "samples", "escalating", "max_samples"}
VERDICT = {  # what a first policy has no use for
    *("baseline", "first_release", "run", "escalating", "max_samples"),
    *("junit", "markdown", "json_path", "record"),
}
_PATH = click.Path(path_type=Path)


@click.command("gate")
@click.argument("source", required=False, metavar="SOURCE|RESULT.json")
@click.option("--policy", "policy_path", type=_PATH, metavar="FILE.toml", help="What must hold.")
@click.option(
    "--baseline", metavar="RESULT.json|HISTORY@WHICH", help="For regressions: last-passed, last or a record's name."
)
@click.option("--first-release", is_flag=True, help="Leave regressions out where the history holds no such record.")
@click.option("--run", metavar="RUN", help="Run folder or log, for gates on alerts.")
@click.option("--escalate", "escalating", is_flag=True, help="Take more samples where it is inconclusive.")
@click.option("--max-samples", type=COUNT, default=200_000, show_default=True, help="That --escalate may take.")
@click.option("--junit", type=_PATH, metavar="FILE", help="Write the verdict as JUnit XML.")
@click.option("--markdown", type=_PATH, metavar="FILE", help="Write it as Markdown. Also to $GITHUB_STEP_SUMMARY.")
@click.option("--json", "json_path", metavar="FILE", help="Write it as JSON; - for stdout, and nothing else.")
@click.option("--record", type=_PATH, metavar="HISTORY", help="Add the Result and the verdict to this folder.")
@click.option("--init", "initial", is_flag=True, help="Write a first policy for the Result instead.")
@click.option("--out", type=_PATH, metavar="FILE", help="For --init. Default: stdout.")
@click.option("-m", "--metric", "metrics", multiple=True, metavar="NAMES", help="Metrics beside the policy's.")
@click.option("--against", metavar="REF", help="Reference. Default: the policy's, else the source's own.")
@click.option("-n", "--samples", type=COUNT, help="Samples to score. Default: the policy's.")
@scoring_options
@debug_option
def gate_command(
    source: str | None,
    policy_path: Path | None,
    baseline: str | None,
    first_release: bool,
    run: str | None,
    escalating: bool,
    max_samples: int,
    junit: Path | None,
    markdown: Path | None,
    json_path: str | None,
    record: Path | None,
    initial: bool,
    out: Path | None,
    metrics: tuple[str, ...],
    against: str | None,
    samples: int | None,
    scoring: Scoring,
) -> int:
    """Hold a Result, or SOURCE scored first, to a policy.

    \b
    gandiag gate result.json --policy gates.toml
    gandiag gate ckpt.pt --policy gates.toml --baseline releases@last-passed --record releases
    gandiag gate srgan.pt --policy pairs.toml --inputs low/ --targets high/
    gandiag gate --run runs/x --policy alerts.toml
    gandiag gate result.json --init --out gates.toml

    Exit codes: 0 passed; 1 failed; 4 inconclusive, where on_inconclusive does not say what that means; 2 bad input.
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import check_outputs
    from gandiag.gates.gate import decide, open_run
    from gandiag.gates.history import record_run
    from gandiag.gates.looks import Looked
    from gandiag.gates.scored import gate_source

    _check_words(source, policy_path, initial, out)
    check_outputs(junit, markdown, out, json_path)
    saved = _saved(source)
    policy = None if policy_path is None else _policy(policy_path, saved)

    if record is not None and record.exists() and not record.is_dir():
        raise click.UsageError(f"--record {str(record)!r} is a file, expected a folder")

    def settings(own_device: str, progress: ProgressCallback) -> Settings:
        from gandiag.evaluation.scorer import Settings

        return Settings(
            metrics=[*metrics, *compared] or None,
            against=against,
            held_out=scoring.held_out,
            inputs=scoring.inputs,
            targets=scoring.targets,
            cycle=scoring.cycle,
            samples=samples,
            seed=scoring.seed,
            extractor=scoring.extractor,
            weights=scoring.weights,
            preprocessing=scoring.preprocessing,
            like=scoring.like,
            device=own_device,
            precision=scoring.precision,
            compiled=scoring.compiled,
            batch_size=scoring.batch_size,
            data_root=scoring.data_root,
            download=scoring.download,
            cache=scoring.kept,
            progress=progress,
            generator=scoring.generator,
        )

    compared: list[str] = []
    if policy is None:
        _init(source, saved, settings, scoring.device, out)
        return 0
    whole = policy
    before, policy = _baseline(baseline, whole, first_release)
    if policy is not whole and saved is None:
        compared = whole.metrics()  # what the next release is compared with
    alerts = open_run(run)
    first = True
    if saved is not None or source is None:
        looked = Looked(decide(saved, policy, before, alerts), saved, before)
    else:
        with _working(settings, scoring.device) as (how, first):
            looked = gate_source(
                source, policy, how, baseline=before, run=alerts, escalating=escalating, most=max_samples
            )
    if first:
        if record is not None and looked.result is not None:
            click.echo(f"recorded {printable(str(record_run(record, looked.result, looked.verdict)))}", err=True)
        _publish(looked.verdict, json_path, junit, markdown)
    return looked.verdict.exit_code


def _check_words(source: str | None, policy: Path | None, initial: bool, out: Path | None) -> None:
    """Refuse what does not go together, and what would go unused."""
    if initial and policy is not None:
        raise click.UsageError("--init writes a policy, and --policy reads one; give one of them")
    if initial and source is None:
        raise click.UsageError("--init needs a Result to look at: gandiag gate RESULT.json --init")
    given = given_options(VERDICT) if initial else []
    if given:
        belong = "belong" if len(given) > 1 else "belongs"
        raise click.UsageError(f"{' and '.join(given)} {belong} to a verdict, and --init gives none; leave that out")
    if not initial and policy is None:
        raise click.UsageError("--policy is missing; gandiag gate RESULT.json --init writes a first one")
    if out is not None and not initial:
        raise click.UsageError("--out goes with --init; write the verdict with --json, --junit or --markdown")
    if source is None:
        refuse_given(SCORING, "there is no source; leave that out")
    elif source.endswith(".json"):
        refuse_given(SCORING, "a saved Result has none; leave that out, or name its source")
    useless = given_options({"baseline", "first_release", "record"}) if source is None else []
    if useless:
        goes = "go" if len(useless) > 1 else "goes"
        none = f"{' and '.join(useless)} {goes} with a Result, and there is none"
        raise click.UsageError(f"{none}; name a source or a Result, or leave that out")
    if given_options({"max_samples"}) and not given_options({"escalating"}):
        raise click.UsageError("--max-samples is a bound of --escalate; add --escalate, or leave that out")


def _saved(source: str | None) -> Result | None:
    """The Result that `source` is a file of, or None."""
    from gandiag.core.result import Result

    return Result.load(source) if source is not None and source.endswith(".json") else None


def _policy(path: Path, saved: Result | None) -> Policy:
    from gandiag.gates.gate import score_names
    from gandiag.gates.policy import Policy

    return Policy.load(path, () if saved is None else score_names(saved))


def _baseline(baseline: str | None, policy: Policy, first_release: bool) -> tuple[Result | None, Policy]:
    """The baseline, and the policy that can be held against it."""
    from gandiag.core.errors import MissingDataError
    from gandiag.gates.gate import open_baseline

    try:
        return open_baseline(baseline, _warn), policy
    except MissingDataError as error:
        if not first_release:
            raise
        _warn(f"{error}; taken as a first release, which has no regressions")
        return None, policy.without_regressions()


@contextmanager
def _working(settings: SettingsMaker, device: str) -> Iterator[tuple[Settings, bool]]:
    """The settings for this process, and whether it is the one that prints."""
    from gandiag.cli.output import progress_bar
    from gandiag.evaluation.environment import processes

    with processes(device) as (own_device, first), progress_bar() as progress:
        yield settings(own_device, progress), first


def _init(source: str | None, saved: Result | None, settings: SettingsMaker, device: str, out: Path | None) -> None:
    """Print or write a first policy for a Result, or for a source that is scored first."""
    from gandiag.cli.output import write_document
    from gandiag.gates.init import init_policy
    from gandiag.gates.scored import score

    result, first = saved, True
    if result is None:
        with _working(settings, device) as (how, first):
            result = score(source, how)
    if not first:
        return
    if out is None:
        click.echo(init_policy(result), nl=False)
    else:
        write_document(init_policy(result), str(out))


def _publish(verdict: Verdict, json_path: str | None, junit: Path | None, markdown: Path | None) -> None:
    """The table, or the JSON alone for `-`; the files; the warnings to stderr."""
    from gandiag.cli.output import write_document
    from gandiag.gates.junit import to_junit
    from gandiag.gates.markdown import append_summary, to_markdown

    if not write_document(verdict.to_json(), json_path):
        _print(verdict)
    write_document(to_junit(verdict), None if junit is None else str(junit))
    write_document(to_markdown(verdict), None if markdown is None else str(markdown))
    append_summary(verdict)
    for warning in verdict.warnings:
        _warn(warning)


def _print(verdict: Verdict) -> None:
    from rich.table import Table
    from rich.text import Text

    from gandiag.cli.output import data_console
    from gandiag.gates import text

    screen = data_console()
    colour = COLOURS[verdict.status]
    screen.print(Text(text.headline(verdict)), style=f"bold {colour}", soft_wrap=True)
    table = Table()
    for header in ("gate", "verdict", "value", "interval", "N"):
        table.add_column(header, justify="right" if header in ("value", "N") else "left")
    table.add_column("why", overflow="fold")
    for outcome in verdict.outcomes:
        samples = "" if outcome.samples is None else f"{outcome.samples:,}"
        cells = (outcome.gate, text.shown_verdict(outcome), text.shown_value(outcome), text.shown_interval(outcome))
        table.add_row(
            *(Text(printable(cell)) for cell in (*cells, samples, outcome.reason)), style=COLOURS[outcome.verdict]
        )
    screen.print(table)
    for line in (text.looks(verdict), text.advice(verdict)):
        if line is not None:
            click.echo(line, err=True)


def _warn(text: str) -> None:
    click.echo(f"warning: {printable(text)}", err=True)
