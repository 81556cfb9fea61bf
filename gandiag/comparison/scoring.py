"""Scoring many sources by one set of settings: all are opened first, and one that fails does not end the others."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gandiag.comparison.given import Given
from gandiag.core.errors import GandiagError, InternalError, UnknownNameError
from gandiag.core.protocols import Conditioning, ImageSpec, Latent
from gandiag.core.result import Result
from gandiag.evaluation.plan import Request
from gandiag.evaluation.scorer import Opened, Scorer, Settings

MIXTURE_SCORES = ("high_quality",)  # of metrics that treat mixtures in their own way


@dataclass(frozen=True)
class Scored:
    """Results and failures by the number of the source, and what the reader should know."""

    results: dict[int, Result] = field(default_factory=dict)
    failures: dict[int, GandiagError] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Inputs:
    """What networks in memory take and give."""

    latent: Latent | None
    image: ImageSpec | None
    conditioning: Conditioning | None

    def open(self, scorer: Scorer, what: Any) -> Opened:
        return scorer.open(what, latent=self.latent, image=self.image, conditioning=self.conditioning)


def score_all(
    sources: Mapping[int, Given],
    settings: Settings,
    *,
    latent: Latent | None,
    image: ImageSpec | None,
    conditioning: Conditioning | None,
    best_by: str | None,
) -> Scored:
    """Score each source; those that cannot be opened end the work before it begins.

    Args:
        sources: by number.
        settings: for all.
        latent, image, conditioning: what networks in memory take and give.
        best_by: name of a score that must be among theirs.

    Raises:
        GandiagError: a source cannot be opened, or an option cannot be used.
    """
    scorer, inputs, scored = Scorer(settings), _Inputs(latent, image, conditioning), Scored()
    kept: dict[int, Opened] = {}
    counts: dict[int, int] = {}
    names: dict[int, str] = {}
    scores: set[str] = set()
    for number, each in sources.items():
        opened = inputs.open(scorer, each.what)
        counts[number], names[number] = opened.count, opened.fake.info.name
        scores |= score_names(opened.requests)
        # Networks of many files do not stay in memory: they are opened again, which is quick.
        if each.path is None or opened.fake.info.size is not None or len(sources) == 1:
            kept[number] = opened
    if best_by is not None and best_by not in scores:
        raise UnknownNameError("score", best_by, scores)
    fewest = min(counts, key=counts.__getitem__)
    if len(set(counts.values())) > 1:
        message = f"{counts[fewest]} samples are taken of each source, as many as {names[fewest]} has"
        scored.warnings.append(message)
    for number, each in sources.items():
        try:
            opened = kept.pop(number) if number in kept else inputs.open(scorer, each.what)
            title = names[number] if len(sources) > 1 else None
            scored.results[number] = scorer.score(replace(opened, count=counts[fewest]), title=title)
        except InternalError:
            raise
        except GandiagError as error:
            scored.failures[number] = error
    return scored


def score_names(requests: Iterable[Request]) -> set[str]:
    """Names of the scores that metrics give, with those that they add for mixtures."""
    return {
        name + request.suffix
        for request in requests
        for name in (*request.metric.scores, *(MIXTURE_SCORES if request.metric.mixture_heads is not None else ()))
    }
