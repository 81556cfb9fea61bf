"""`gandiag score`: a checkpoint, a folder, an array or a dataset in, numbers with error bars out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import COUNT, Scoring, debug_option, scoring_options

INTERVAL = "5%"

if TYPE_CHECKING:
    from gandiag.core.result import Result


@click.command("score")
@click.argument("source")
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAMES",
    help="Names by comma or repeated; NAME@EXTRACTOR; all. Default: fid, is, pr and modes, those that apply.",
)
@click.option("--against", metavar="REF", help="Reference: a dataset's name, a folder, an array or statistics file.")
@click.option("-n", "--samples", type=COUNT, help="Samples to score. Default: the reference's protocol.")
@scoring_options
@click.option("--plan", is_flag=True, help="Only say how many samples the interval needs, and how long it takes.")
@click.option("--interval", metavar="WIDTH", help=f"For --plan: wanted half width.  [default: {INTERVAL}]")
@click.option("--json", "json_path", metavar="FILE", help="Write the Result there; - for stdout, and nothing else.")
@debug_option
def score_command(
    source: str,
    metrics: tuple[str, ...],
    against: str | None,
    samples: int | None,
    plan: bool,
    interval: str | None,
    json_path: str | None,
    scoring: Scoring,
) -> None:
    """Score SOURCE: a checkpoint, a folder of images, an .npy or .npz file, or a dataset's name.

    \b
    gandiag score ckpt.pt --metric fid,is,pr,modes
    gandiag score ckpt.pt --against stacked-mnist:test --json result.json
    gandiag score samples.npz --against mnist --metric fid
    gandiag score srgan.pt --inputs low/ --targets high/ --metric psnr,ssim,fid
    gandiag score ckpt.pt --metric fid --plan --interval 2%
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import check_writable, print_plan, print_result, progress_bar
    from gandiag.evaluation.environment import processes
    from gandiag.evaluation.planning import parse_width, plan_samples
    from gandiag.evaluation.score import score

    if interval is not None and not plan:
        raise click.UsageError("--interval is the width that --plan plans for: add --plan")
    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    with processes(scoring.device) as (own_device, first), progress_bar() as progress:

        def run(number: int | None, cached: Path | bool) -> Result:
            return score(
                source,
                list(metrics) or None,
                against=against,
                held_out=scoring.held_out,
                inputs=scoring.inputs,
                targets=scoring.targets,
                cycle=scoring.cycle,
                samples=number,
                seed=scoring.seed,
                like=scoring.like,
                extractor=scoring.extractor,
                weights=scoring.weights,
                preprocessing=scoring.preprocessing,
                compiled=scoring.compiled,
                device=own_device,
                precision=scoring.precision,
                batch_size=scoring.batch_size,
                data_root=scoring.data_root,
                download=scoring.download,
                cache=cached,
                progress=progress,
                generator=scoring.generator,
            )

        if plan:
            planned = plan_samples(lambda number: run(number, False), parse_width(interval or INTERVAL), most=samples)
        else:
            result = run(samples, scoring.kept)
    if first and plan:
        print_plan(planned, json_path)
    elif first:
        print_result(result, json_path)
