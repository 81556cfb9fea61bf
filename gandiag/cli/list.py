"""`gandiag list`: what there is, by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

from gandiag.cli.options import debug_option
from gandiag.core.errors import UnknownNameError
from gandiag.core.registry import Registry

TRAINING = ("recipes", "faults", "techniques", "losses", "penalties", "tasks")
KINDS = ("metrics", "extractors", "datasets", "generators", "detectors", "sinks", *TRAINING)


@click.command("list", epilog=f"Kinds: {', '.join(KINDS)}.")
@click.argument("kind", required=False)
@debug_option
def list_command(kind: str | None) -> None:
    """List what there is of a KIND, or of all kinds, each with a line on what it is."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    for each in KINDS if kind is None else (kind,):
        rows = list(_rows(each))
        if kind is None:
            click.echo(f"{each}:")
        width = max((len(name) for name, _ in rows), default=0)
        for name, summary in rows:
            click.echo(
                f"  {name:<{width}}  {summary}".rstrip() if kind is None else f"{name:<{width}}  {summary}".rstrip()
            )


def _rows(kind: str) -> Iterable[tuple[str, str]]:
    from gandiag.core.training import TRAINERS
    from gandiag.datasets import DATASETS
    from gandiag.extractors import EXTRACTORS
    from gandiag.metrics import METRICS
    from gandiag.monitor.detectors import DETECTORS
    from gandiag.monitor.sinks import SINKS
    from gandiag.sources import GENERATORS

    if kind in TRAINING:
        for name in TRAINERS.names():
            # A trainer of another package may have nothing but recipes and faults.
            yield from sorted(getattr(TRAINERS.load(name), kind, dict)().items())
        return
    registries: dict[str, Registry[Any]] = {
        "metrics": METRICS,
        "extractors": EXTRACTORS,
        "datasets": DATASETS,
        "generators": GENERATORS,
        "detectors": DETECTORS,
        "sinks": SINKS,
    }
    for entry in registries[kind].entries():
        aliases = f" (also {', '.join(entry.aliases)})" if entry.aliases else ""
        yield entry.name + aliases, entry.summary
