"""Names short enough for a table: without the folder that all sources share."""

from __future__ import annotations

from dataclasses import replace

from gandiag.comparison.table import Comparison, Versus
from gandiag.comparison.text import short_names
from gandiag.core.gallery import Gallery


def shortened(comparison: Comparison, gallery: Gallery | None) -> tuple[Comparison, Gallery | None]:
    """The comparison and its gallery with the shared folder taken off every source's name."""
    names = short_names(comparison.sources)
    if all(name == short for name, short in names.items()):
        return comparison, gallery

    def short(name: str) -> str:
        return names.get(name, name)

    def to(versus: Versus | None) -> Versus | None:
        return None if versus is None else replace(versus, to=short(versus.to))

    rows = tuple(
        replace(row, source=short(row.source), to_best=to(row.to_best), to_baseline=to(row.to_baseline))
        for row in comparison.rows
    )
    sweeps = tuple(
        replace(
            sweep,
            sources=tuple(map(short, sweep.sources)),
            best=None if sweep.best is None else short(sweep.best),
            tied=tuple(map(short, sweep.tied)),
            falls=tuple(
                replace(fall, source=short(fall.source), best_source=short(fall.best_source)) for fall in sweep.falls
            ),
        )
        for sweep in comparison.sweeps
    )
    own = replace(
        comparison,
        entries=tuple(replace(entry, name=short(entry.name)) for entry in comparison.entries),
        rows=rows,
        sweeps=sweeps,
        baseline=None if comparison.baseline is None else short(comparison.baseline),
        best=None if comparison.best is None else short(comparison.best),
        tied=tuple(map(short, comparison.tied)),
    )
    if gallery is None:
        return own, None
    return own, replace(gallery, models=tuple(replace(model, name=short(model.name)) for model in gallery.models))
