"""`gandiag sample`: the samples that a score looks at, as files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from gandiag.cli.options import (
    COUNT,
    data_options,
    debug_option,
    device_option,
    generator_options,
    inputs_option,
    precision_option,
    seed_option,
)

if TYPE_CHECKING:
    from gandiag.core.generator_options import GeneratorOptions
    from gandiag.core.protocols import Precision


@click.command("sample")
@click.argument("source")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="New folder for PNG images, or FILE.zip, or FILE.npz as ADM's.",
)
@click.option("-n", "--samples", type=COUNT, help="How many. Default: as many as a score takes.")
@inputs_option
@seed_option
@generator_options
@device_option
@click.option("--batch-size", type=COUNT, help="Samples at a time. Default: 512.")
@precision_option
@data_options
@debug_option
def sample_command(
    source: str,
    out: Path,
    inputs: str | None,
    samples: int | None,
    seed: int,
    device: str,
    batch_size: int | None,
    precision: Precision,
    data_root: Path | None,
    download: bool,
    generator: GeneratorOptions,
) -> None:
    """Write samples of SOURCE, a checkpoint or whatever else can be scored; their score is that of SOURCE.

    \b
    gandiag sample ckpt.pt --out samples -n 1000
    gandiag sample ckpt.pt --out samples.npz --seed 1
    gandiag sample srgan.pt --inputs low/ --out made
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import progress_bar
    from gandiag.evaluation.sampling import sample

    with progress_bar() as show:
        count = sample(
            source,
            out,
            inputs=inputs,
            samples=samples,
            seed=seed,
            device=device,
            precision=precision,
            batch_size=batch_size,
            data_root=data_root,
            download=download,
            progress=show,
            generator=generator,
        )
    click.echo(f"wrote {count:,} samples", err=True)
    click.echo(out)
