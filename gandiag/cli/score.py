"""`gandiag score`: a checkpoint, a folder, an array or a dataset in, numbers with error bars out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import data_options, debug_option, device_option, seed_option

if TYPE_CHECKING:
    from gandiag.core.protocols import Precision


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
@click.option("--against", metavar="REF", help="Reference: a dataset's name, a folder or an array file.")
@click.option(
    "-n", "--samples", type=click.IntRange(min=1), help="Samples to score. Default: the reference's protocol."
)
@seed_option
@click.option("--extractor", metavar="NAME", help="Extractor in place of the reference's own.")
@click.option("--weights", type=click.Path(path_type=Path), help="Weights file for the extractor.")
@device_option
@click.option("--batch-size", type=click.IntRange(min=1), default=512, show_default=True, help="Samples at a time.")
@click.option(
    "--precision", type=click.Choice(["fp32", "tf32", "bf16"]), default="fp32", show_default=True, help="Arithmetic."
)
@data_options
@click.option("--json", "json_path", metavar="FILE", help="Write the Result there; - for stdout, and nothing else.")
@debug_option
def score_command(
    source: str,
    metrics: tuple[str, ...],
    against: str | None,
    samples: int | None,
    seed: int,
    extractor: str | None,
    weights: Path | None,
    device: str,
    batch_size: int,
    precision: Precision,
    data_root: Path | None,
    download: bool,
    json_path: str | None,
) -> None:
    """Score SOURCE: a checkpoint, a folder of images, an .npy or .npz file, or a dataset's name.

    \b
    gandiag score ckpt.pt --metric fid,is,pr,modes
    gandiag score ckpt.pt --against stacked-mnist:test --json result.json
    gandiag score samples.npz --against mnist --metric fid
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import check_writable, print_result, progress_bar
    from gandiag.evaluation.score import score

    if json_path not in (None, "-"):
        check_writable(Path(str(json_path)))
    with progress_bar() as progress:
        result = score(
            source,
            list(metrics) or None,
            against=against,
            samples=samples,
            seed=seed,
            extractor=extractor,
            weights=weights,
            device=device,
            precision=precision,
            batch_size=batch_size,
            data_root=data_root,
            download=download,
            progress=progress,
        )
    print_result(result, json_path)
