"""Comparing: score what is not scored yet, with the same noise for every model, and test the differences."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gandiag.comparison.given import Given, expand, names_of, step_of
from gandiag.comparison.ranking import rank
from gandiag.comparison.sweep import best_of, find_sweeps
from gandiag.comparison.table import Comparison, Entry, Failure
from gandiag.core.errors import GandiagError, InputError, UnknownNameError, UsageError, shown
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Conditioning, ImageSpec, Latent, Precision, ProgressCallback
from gandiag.core.result import Result

if TYPE_CHECKING:
    from gandiag.evaluation.resolve import Samples

DEFAULT_BEST_BY = "fid"


def compare(
    sources: Iterable[Any],
    metrics: Sequence[str] | str | None = None,
    *,
    baseline: Any = None,
    best_by: str | None = None,
    against: Samples | None = None,
    held_out: Samples | None = None,
    inputs: Samples | None = None,
    targets: Samples | None = None,
    cycle: Samples | None = None,
    samples: int | None = None,
    seed: int = 0,
    extractor: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    preprocessing: str | None = None,
    like: str | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    compiled: bool = False,
    batch_size: int | None = None,
    data_root: str | os.PathLike[str] | None = None,
    download: bool = False,
    latent: Latent | None = None,
    image: ImageSpec | None = None,
    conditioning: Conditioning | None = None,
    cache: str | os.PathLike[str] | bool = False,
    progress: ProgressCallback | None = None,
    generator: GeneratorOptions | None = None,
) -> Comparison:
    """Compare models by their scores, each difference with an interval and a test.

    All sources get the same noise and labels and are held against the same real samples, which are looked at once.
    What the scores share cancels in their differences; see the page "Error bars". P-values are corrected over the
    table (Holm, 1979).

    Args:
        sources: what `gandiag.score` takes; Results, or their files; folders of checkpoints and globs, each a sweep.
        metrics: as for `score`; of Results, which of their scores are compared, by default all.
        baseline: the source that all others are held against: one of `sources`, or one more.
        best_by: name of the score by which the best source, and the best checkpoint of a sweep, is chosen; for sweeps
            by default `fid`.
        against, held_out, inputs, targets, cycle, samples, seed, extractor, weights, preprocessing, like, device,
            precision, compiled, batch_size, data_root, download, latent, image, conditioning, cache, progress,
            generator: as for `score`. Without `samples` all sources give as many as the smallest of them has.

    Returns:
        The table. A source that fails while it is scored is among its `failures`.

    Raises:
        GandiagError: an input or an option cannot be used, found before anything is scored; or no source could be
            scored.
    """
    given, held = _with_baseline(expand(sources), baseline)
    saved = {number: each.result for number, each in enumerate(given) if each.result is not None}
    found: dict[int, Result] = {number: _chosen(result, metrics) for number, result in saved.items()}
    failures: dict[int, GandiagError] = {}
    warnings: list[str] = []
    if len(saved) < len(given):
        from gandiag.comparison.scoring import score_all
        from gandiag.evaluation.scorer import Settings

        settings = Settings(
            metrics=metrics,
            against=against,
            held_out=held_out,
            inputs=inputs,
            targets=targets,
            cycle=cycle,
            samples=samples,
            seed=seed,
            extractor=extractor,
            weights=weights,
            preprocessing=preprocessing,
            like=like,
            device=device,
            precision=precision,
            compiled=compiled,
            batch_size=batch_size,
            data_root=data_root,
            download=download,
            cache=cache,
            progress=progress,
            generator=generator or GeneratorOptions(),
        )
        scored = score_all(
            {number: each for number, each in enumerate(given) if number not in saved},
            settings,
            latent=latent,
            image=image,
            conditioning=conditioning,
            best_by=None if best_by in _names(found.values()) else best_by,
        )
        found |= scored.results
        failures, warnings = scored.failures, list(scored.warnings)
    if not found:
        raise next(iter(failures.values()))
    order = sorted(found)
    return tabulate(
        [given[number] for number in order],
        [found[number] for number in order],
        baseline=None if held is None or held not in found else order.index(held),
        best_by=best_by,
        failures=[Failure(_title(given[number]), str(error)) for number, error in failures.items()],
        warnings=warnings,
    )


def tabulate(
    given: Sequence[Given],
    results: Sequence[Result],
    *,
    baseline: int | None = None,
    best_by: str | None = None,
    failures: Sequence[Failure] = (),
    warnings: Sequence[str] = (),
) -> Comparison:
    """The Comparison of Results.

    Args:
        given: how each was named.
        results: as many.
        baseline: number of the one that the others are held against.
        best_by: the score that chooses the best.
        failures: what could not be scored.
        warnings: what the reader should know.

    Raises:
        UnknownNameError: `best_by` is no score of any.
    """
    entries = [
        Entry(name, result, step_of(each, result), each.run, each.unit)
        for name, each, result in zip(names_of(given, results), given, results, strict=True)
    ]
    scores = _names(results)
    if best_by is not None and best_by not in scores:
        raise UnknownNameError("score", best_by, scores)
    ranking = rank(entries, scores, baseline)
    sweeps = find_sweeps(entries, ranking, best_by or _default_best_by(scores))
    best, tied = best_of(entries, best_by, range(len(entries)), ranking)
    return Comparison(
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        entries=tuple(entries),
        scores=scores,
        rows=ranking.rows,
        baseline=None if baseline is None else entries[baseline].name,
        best_by=best_by,
        best=best,
        tied=tied,
        sweeps=sweeps,
        failures=tuple(failures),
        warnings=tuple(dict.fromkeys([*warnings, *_warnings(entries)])),
    )


def _with_baseline(given: list[Given], baseline: Any) -> tuple[list[Given], int | None]:
    """The sources, and the number of the baseline, which is added in front where it is none of them."""
    if baseline is None:
        return given, None
    for number, each in enumerate(given):
        if each.what is baseline or _same_file(each.path, baseline):
            return given, number
    named = expand([baseline])
    if len(named) != 1:
        raise UsageError(f"the baseline {shown(baseline)} is {len(named)} sources; name one")
    return [*named, *given], 0


def _same_file(path: str | None, other: Any) -> bool:
    if path is None or not isinstance(other, str | os.PathLike):
        return False
    return path == os.fspath(other) or Path(path).resolve() == Path(other).resolve()


def _chosen(result: Result, metrics: Sequence[str] | str | None) -> Result:
    """The Result with the scores of those metrics alone."""
    if metrics is None:
        return result
    from gandiag.comparison.scoring import score_names
    from gandiag.evaluation.plan import parse_metrics

    wanted = score_names(parse_metrics([metrics] if isinstance(metrics, str) else metrics))
    kept = {name: score for name, score in result.scores.items() if name in wanted}
    if not kept:
        name = shown(result.source.get("name"))
        message = f"the Result of {name} has none of {', '.join(sorted(wanted))}"
        raise InputError(f"{message}; it has {', '.join(result.scores) or 'no scores'}")
    return replace(result, scores=kept)


def _names(results: Iterable[Result]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for result in results for name in result.scores))


def _default_best_by(scores: Sequence[str]) -> str | None:
    return next((name for name in scores if name.partition("@")[0] == DEFAULT_BEST_BY), next(iter(scores), None))


def _title(given: Given) -> str:
    return given.path or str(getattr(given.what, "__name__", type(given.what).__name__))


def _warnings(entries: Sequence[Entry]) -> list[str]:
    """Each Result's warnings under its name; those of all are said once."""
    every = [warning for entry in entries for warning in entry.result.warnings]
    shared = [warning for warning in dict.fromkeys(every) if len(entries) > 1 and every.count(warning) == len(entries)]
    own = [
        f"{entry.name}: {warning}" for entry in entries for warning in entry.result.warnings if warning not in shared
    ]
    return shared + own
