"""`gandiag stats`: statistics of real data, built once and reused, and what those of other tools are."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gandiag.cli.options import COUNT, data_options, debug_option, device_option, extractor_options, precision_option
from gandiag.core.errors import printable

if TYPE_CHECKING:
    from gandiag.core.protocols import Precision
    from gandiag.statistics.reference_statistics import ReferenceStatistics


@click.group("stats")
@debug_option
def stats_command() -> None:
    """Build statistics of real data once, to score against them; show and list such files, of other tools too."""


@stats_command.command("build")
@click.argument("source")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="FILE", help="Where to write them.")
@extractor_options
@click.option("-n", "--samples", type=click.IntRange(min=2), help="Samples to take. Default: all.")
@device_option
@click.option("--batch-size", type=COUNT, help="Samples at a time. Default: the extractor's own.")
@precision_option
@data_options
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["gandiag", "pytorch-fid"]),
    default="gandiag",
    show_default=True,
    help="pytorch-fid: an .npz with mu and sigma alone, for other tools.",
)
@debug_option
def build_command(
    source: str,
    out: Path,
    extractor: str | None,
    weights: Path | None,
    preprocessing: str | None,
    compiled: bool,
    samples: int | None,
    device: str,
    batch_size: int | None,
    precision: Precision,
    data_root: Path | None,
    download: bool,
    file_format: str,
) -> None:
    """Write the statistics of SOURCE: a dataset's name, a folder of images, an array file.

    \b
    gandiag stats build mnist --out mnist.stats
    gandiag stats build photos/ --extractor inception --out photos.stats
    gandiag stats build photos/ --out photos.npz --format pytorch-fid
    """  # noqa: D301 - click reads the \b
    from gandiag.cli.output import check_writable, progress_bar
    from gandiag.evaluation.statistics import build_statistics
    from gandiag.statistics.statistics_file import write_statistics
    from gandiag.statistics.statistics_npz import write_npz

    check_writable(out)
    with progress_bar() as progress:
        statistics = build_statistics(
            source,
            extractor=extractor,
            weights=weights,
            preprocessing=preprocessing,
            compiled=compiled,
            samples=samples,
            device=device,
            batch_size=batch_size,
            precision=precision,
            data_root=data_root,
            download=download,
            progress=progress,
        )
    (write_npz if file_format == "pytorch-fid" else write_statistics)(out, statistics)
    click.echo(f"wrote {out}: {statistics.samples:,} samples of {statistics.name}, {statistics.extractor}", err=True)


@stats_command.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--convention", metavar="NAME", help="Whose .npz it is: pytorch-fid, clean-fid, stylegan, edm or adm.")
@click.option("-n", "--samples", type=click.IntRange(min=2), help="How many samples it is of, where it does not say.")
@click.option("--json", "json_path", metavar="FILE", help="Write it as JSON there; - for stdout, and nothing else.")
@debug_option
def show_command(file: Path, convention: str | None, samples: int | None, json_path: str | None) -> None:
    """Show what a statistics FILE is: gandiag's own, or an .npz of pytorch-fid, clean-fid, StyleGAN, EDM or ADM."""
    from gandiag.cli.output import write_document
    from gandiag.statistics.statistics_file import read_statistics

    statistics = read_statistics(file, convention=convention, samples=samples)
    fields = _fields(statistics)
    if not write_document(json.dumps(fields, indent=2, allow_nan=False) + "\n", json_path):
        shown = ((name, value) for name, value in fields.items() if value is not None and name != "warnings")
        _print_columns([(name.replace("_", " "), _text(value)) for name, value in shown])
    for warning in statistics.warnings:
        click.echo(f"warning: {printable(warning)}", err=True)


@stats_command.command("list")
@click.argument("folder", required=False, default=".", type=click.Path(path_type=Path))
@debug_option
def list_command(folder: Path) -> None:
    """List the statistics files in FOLDER, the current one by default."""
    from gandiag.statistics.statistics_file import outlines

    rows = [
        (
            each.path.name,
            each.kind,
            each.name or "-",
            each.extractor or "-",
            "-" if each.samples is None else f"{each.samples:,}",
            f"{each.path.stat().st_size / 2**20:.1f} MiB",
        )
        for each in outlines(folder)
    ]
    if not rows:
        click.echo(f"there are no statistics files in {printable(str(folder))}", err=True)
        return
    _print_columns([("file", "written as", "data", "extractor", "N", "size"), *rows])


def _fields(statistics: ReferenceStatistics) -> dict[str, Any]:
    """What there is to know, for eyes and for JSON; None for what the file does not say."""
    moments, spatial = statistics.moments, statistics.spatial_moments
    return {
        "name": statistics.name,
        "path": statistics.path,
        "sha256": statistics.sha256,
        "convention": statistics.convention,
        "samples": statistics.samples,
        "extractor": statistics.extractor,
        "extractor_sha256": statistics.extractor_sha256,
        "preprocessing": statistics.preprocessing,
        "source_sha256": statistics.source_sha256,
        **{name: value for name, value in statistics.protocol.items() if name != "convention"},
        "features": moments.dimension,
        "feature_rows": len(moments.rows) if statistics.features is None else len(statistics.features),
        "mean_norm": float(moments.whole.mean.norm()),
        "covariance_trace": float(moments.whole.covariance.trace()),
        "spatial_features": None if spatial is None else spatial.dimension,
        "warnings": list(statistics.warnings),
    }


def _text(value: Any) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_text(inner)}" for name, inner in value.items() if inner is not None)
        case list():
            return " x ".join(_text(inner) for inner in value)
        case float():
            return f"{value:.6g}"
        case bool() | str():
            return str(value)
        case int():
            return f"{value:,}"
        case _:
            return str(value)


def _print_columns(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(printable(row[column])) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        cells = (f"{printable(cell):<{width}}" for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
