"""`gandiag weights`: the published weights of extractors on this machine."""

from __future__ import annotations

import click

from gandiag.cli.options import debug_option


@click.group("weights")
def weights_command() -> None:
    """Fetch, list and verify the published weights of extractors.

    \b
    gandiag weights fetch inception
    gandiag weights list
    """  # noqa: D301 - click reads the \b


@weights_command.command("fetch")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@debug_option
def fetch_command(names: tuple[str, ...]) -> None:
    """Download the weights of the extractors NAME..., and check them against their published SHA-256.

    A download that was cut goes on from where it stopped. Prints the path of each file.
    """
    from gandiag.cli.output import progress_bar
    from gandiag.core.weights import fetch, published

    found = [published(name) for name in names]
    for weights in found:
        with progress_bar() as progress:
            path = fetch(weights.extractor, progress)
        click.echo(path)


@weights_command.command("list")
@debug_option
def list_weights_command() -> None:
    """List the published weights: extractor, size, whether they are here, licence and file."""
    from rich.console import Console
    from rich.table import Table

    from gandiag.cli.output import UNTERMINATED
    from gandiag.core.weights import PUBLISHED, folder, path_of

    table = Table()
    for header in ("extractor", "MB", "here", "licence", "file"):
        table.add_column(header, justify="right" if header == "MB" else "left", no_wrap=True)
    for name, weights in PUBLISHED.items():
        here = "yes" if path_of(name).is_file() else "no"
        table.add_row(name, f"{weights.size / 1e6:,.0f}", here, weights.licence, weights.file)
    console = Console()
    (console if console.is_terminal else Console(width=UNTERMINATED)).print(table)
    click.echo(f"folder: {folder()}", err=True)


@weights_command.command("verify")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@debug_option
def verify_command(names: tuple[str, ...]) -> None:
    """Check the SHA-256 of fetched weights: of the extractors NAME..., or of all that are here."""
    from gandiag.core.errors import InputError
    from gandiag.core.weights import PUBLISHED, path_of, published, verify

    chosen = [published(name).extractor for name in names] or [name for name in PUBLISHED if path_of(name).is_file()]
    if not chosen:
        click.echo("no weights are here; `gandiag weights list` names those that there are", err=True)
    states = {name: verify(name) for name in chosen}
    for name, state in states.items():
        click.echo(f"{name}: {state}")
    if wrong := [name for name, state in states.items() if state != "ok"]:
        raise InputError(f"not as published: {', '.join(wrong)}; run `gandiag weights fetch {' '.join(wrong)}`")
