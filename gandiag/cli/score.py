"""`gandiag score`: a checkpoint, a folder, an array or a dataset in, numbers with error bars out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import (
    cache_options,
    data_options,
    debug_option,
    device_option,
    extractor_options,
    generator_options,
    precision_option,
    seed_option,
)

if TYPE_CHECKING:
    from gandiag.core.generator_options import GeneratorOptions
    from gandiag.core.protocols import Precision
    from gandiag.core.result import Result


@click.command("score")
@click.argument("source")
@click.option(
    "-m",
    "--metric",
    "metrics",
    multiple=True,
    metavar="NAMES",
    help="fid, is, pr, modes, ... by comma or repeated; NAME@EXTRACTOR; all. Default: all that apply.",
)
@click.option("--against", metavar="REF", help="Reference: a dataset's name, a folder, an array or statistics file.")
@click.option("--held-out", metavar="REF", help="Other real samples. Default: the reference's other split.")
@click.option("--inputs", metavar="REF", help="Images that an image-to-image model is fed in place of noise.")
@click.option("--targets", metavar="REF", help="The image that is wanted for each input: for psnr and ssim.")
@click.option("--cycle", metavar="MODEL", help="The model that leads back to the inputs: for cycle_error.")
@click.option(
    "-n", "--samples", type=click.IntRange(min=1), help="Samples to score. Default: the reference's protocol."
)
@seed_option
@click.option("--like", metavar="TOOL", help="Follow a tool: torch-fidelity, pytorch-fid, clean-fid, torchmetrics, ...")
@generator_options
@extractor_options
@device_option
@click.option("--batch-size", type=click.IntRange(min=1), help="Samples at a time. Default: what suits the extractor.")
@precision_option
@data_options
@cache_options
@click.option("--plan", is_flag=True, help="Only say how many samples the interval needs, and how long it takes.")
@click.option("--interval", default="5%", show_default=True, metavar="WIDTH", help="For --plan: wanted half width.")
@click.option("--json", "json_path", metavar="FILE", help="Write the Result there; - for stdout, and nothing else.")
@debug_option
def score_command(
    source: str,
    metrics: tuple[str, ...],
    against: str | None,
    held_out: str | None,
    inputs: str | None,
    targets: str | None,
    cycle: str | None,
    samples: int | None,
    seed: int,
    like: str | None,
    extractor: str | None,
    weights: Path | None,
    preprocessing: str | None,
    compiled: bool,
    device: str,
    batch_size: int | None,
    precision: Precision,
    data_root: Path | None,
    download: bool,
    cache: Path | None,
    no_cache: bool,
    plan: bool,
    interval: str,
    json_path: str | None,
    generator: GeneratorOptions,
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

    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    with processes(device) as (own_device, first), progress_bar() as progress:

        def run(number: int | None, cached: Path | bool) -> Result:
            return score(
                source,
                list(metrics) or None,
                against=against,
                held_out=held_out,
                inputs=inputs,
                targets=targets,
                cycle=cycle,
                samples=number,
                seed=seed,
                like=like,
                extractor=extractor,
                weights=weights,
                preprocessing=preprocessing,
                compiled=compiled,
                device=own_device,
                precision=precision,
                batch_size=batch_size,
                data_root=data_root,
                download=download,
                cache=cached,
                progress=progress,
                generator=generator,
            )

        if plan:
            planned = plan_samples(lambda number: run(number, False), parse_width(interval), most=samples)
        else:
            result = run(samples, not no_cache if cache is None else cache)
    if first and plan:
        print_plan(planned, json_path)
    elif first:
        print_result(result, json_path)
