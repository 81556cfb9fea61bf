"""Which metric looks at what: names, extractors, the union of heads and the number of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gandiag.core.errors import InputError, UsageError
from gandiag.core.modes import MixtureModes, Modes
from gandiag.core.protocols import Dataset, Source
from gandiag.extractors import EXTRACTORS
from gandiag.metrics import METRICS
from gandiag.metrics._metric import HEADS, Metric, configured

SAMPLES = 50_000  # of the literature, where a dataset does not say
DEFAULT = ("fid", "inception_score", "precision_recall", "mode_coverage")  # where no metric is named
INCEPTION = "inception"  # for images that have no extractor of their own
NONE = ""  # in place of an extractor's name, for metrics that look at the samples themselves


@dataclass(frozen=True)
class Request:
    """One metric with its extractor.

    Attributes:
        name: of the metric.
        metric: what it declares.
        extractor: whose features it looks at; empty until `with_extractor` has chosen the default one, and for good
            where the metric looks at the samples themselves.
        suffix: what its scores' keys end in: nothing, or `@extractor` where one was asked for.
        optional: asked for by `all` or by default, so that it may be left out where it does not apply.
    """

    name: str
    metric: Metric
    extractor: str = ""
    suffix: str = ""
    optional: bool = False

    def with_extractor(self, default: str) -> Request:
        """The request with the metric's own extractor, or the default one, where none was asked for."""
        if not self.metric.extracts:
            return replace(self, extractor=NONE)
        return replace(self, extractor=self.extractor or self.metric.extractor or default)

    def renamed(self, extractor: str) -> Request:
        """The request with the name that its extractor, which may be a file, has given itself."""
        return replace(self, extractor=extractor, suffix=f"@{extractor}" if self.suffix else "")

    def with_settings(self, settings: Mapping[str, Any], *, whole: bool = False) -> Request:
        """The request with other settings of its metric, and maybe without a limit of its samples."""
        metric = configured(self.metric, settings)
        return replace(self, metric=replace(metric, maximum_samples=None) if whole else metric)

    def heads(self, modes: Modes | None) -> frozenset[str]:
        """What it needs of the fake side."""
        if isinstance(modes, MixtureModes) and self.metric.mixture_heads is not None:
            return self.metric.mixture_heads
        return self.metric.heads

    def rows(self, count: int, *, capped: bool) -> int:
        """How many of `count` samples it looks at."""
        limit = self.metric.maximum_samples
        return min(count, limit) if capped and limit is not None else count

    @property
    def real_heads(self) -> frozenset[str]:
        """What it needs of the real side."""
        return self.metric.heads if self.metric.real_heads is None else self.metric.real_heads


def parse_metrics(names: Sequence[str] | None) -> list[Request]:
    """Requests for names and aliases, `NAME@EXTRACTOR`, comma-separated lists, and `all`; None for the default ones.

    Raises:
        UnknownNameError: no such metric or extractor.
        UsageError: none is named.
    """
    if names is None:
        return [Request(name, METRICS.load(name), optional=True) for name in DEFAULT]
    wanted = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if not wanted:
        raise UsageError(f"no metric is named; known: {', '.join(METRICS.names())}")
    requests: dict[tuple[str, str], Request] = {}
    for text in wanted:
        title, _, extractor = text.partition("@")
        known = METRICS.names() if title == "all" else [METRICS.resolve(title)]
        asked = extractor_named(extractor) if extractor else ""
        for name in known:
            suffix = f"@{asked}" if asked else ""
            found = Request(name, METRICS.load(name), asked, suffix, title == "all")
            if (name, asked) not in requests or not found.optional:
                requests[name, asked] = found
    return list(requests.values())


def beside(requests: Sequence[Request], names: Sequence[str]) -> list[Request]:
    """The requests, and those of further metrics, which may be left out where they do not apply."""
    known = {request.name for request in requests}
    return [*requests, *(Request(name, METRICS.load(name), optional=True) for name in names if name not in known)]


def enough(requests: Sequence[Request], samples: int, notes: list[str]) -> list[Request]:
    """The requests without those optional ones that need more samples than there are, which is noted."""
    few = [request for request in requests if request.optional and samples < request.metric.minimum_samples]
    if few and len(few) < len(requests):
        listed = ", ".join(f"{request.name} needs {request.metric.minimum_samples}" for request in few)
        notes.append(f"left out, as there are {samples} samples: {listed}")
        return [request for request in requests if request not in few]
    return list(requests)


def default_extractor(*sides: Source | None) -> str:
    """The extractor of the first side that is a dataset; else `pixels` for points and `inception` for images."""
    known = [side for side in sides if side is not None]
    for side in known:
        if isinstance(side, Dataset):
            return side.extractor
    return "pixels" if len(known[0].info.shape) == 1 else INCEPTION


def extractor_named(text: str) -> str:
    """The registered name for a name, or a file's path as it is.

    Raises:
        UnknownNameError: it is neither.
    """
    if Path(text).suffix and Path(text).is_file():
        return text
    return EXTRACTORS.resolve(text)


def served(
    request: Request,
    given: frozenset[str],
    real_given: frozenset[str] | None,
    available: frozenset[str],
    modes: Modes | None,
) -> str | None:
    """Why the metric cannot be computed here, or None where it can.

    Args:
        request: the metric.
        given: what its extractor gives.
        real_given: heads that a reference's statistics file gives; None for a reference that is read.
        available: what else there is: `images`, `labels`, `real labels`, `paths`, `fp32`, `held out`,
            `inputs`, `targets`, `cycled`.
        modes: those of the reference.
    """
    metric, heads = request.metric, request.heads(modes)
    lacking = sorted({HEADS[head] or "" for head in heads} - given - {""})
    if lacking:
        return f"needs {', '.join(lacking)}, which the extractor {request.extractor} does not give"
    unknown = sorted(request.real_heads - real_given) if real_given is not None else []
    if unknown:
        return f"needs {', '.join(unknown)} of the reference, which its statistics file does not hold"
    if metric.needs_modes and modes is None:
        return "needs a reference with known modes, such as mnist, stacked-mnist, ring8 or grid25"
    if metric.images_only and "images" not in available:
        return "is for images, and these are points"
    if "paths" in heads and "paths" not in available:
        return "walks in a generator's latent space, and these samples come without a generator"
    if "paths" in heads and "fp32" not in available:
        return "is of steps so short that another precision rounds them away: use fp32"
    if "targets" in heads and "targets" not in available:
        return "compares each sample with the image that is wanted: name those with --targets"
    if "cycled" in heads and "cycled" not in available:
        return "needs the model that leads back: name it with --cycle, and the images with --inputs"
    if "inputs" in heads and "inputs" not in available:
        return "is for image-to-image models: name the images that they take with --inputs"
    if "labels" in heads and "labels" not in available:
        return "needs labelled samples, and these have no labels"
    if "labels" in request.real_heads and "real labels" not in available:
        return "needs a labelled reference, and this one has no labels"
    if metric.needs_held_out and "held out" not in available:
        return "needs other real samples than the reference: name them with --held-out"
    return None


def sample_count(source: Source, reference: Source | None, wanted: int | None) -> int:
    """How many samples to take of the source: as asked, else as the reference's protocol has it, else 50,000.

    Raises:
        InputError: the source has fewer than were asked for.
    """
    size = source.info.size
    if wanted is not None:
        if size is not None and wanted > size:
            raise InputError(f"{source.info.name} has {size} samples, and --samples asks for {wanted}")
        return wanted
    protocol = next((side.samples for side in (reference, source) if isinstance(side, Dataset)), SAMPLES)
    return protocol if size is None else min(protocol, size)


def check_samples(requests: Sequence[Request], samples: int, name: str) -> None:
    """Raise InputError where a side has too few samples for a metric that was asked for."""
    for request in requests:
        least = request.metric.minimum_samples
        if samples < least:
            raise InputError(f"{samples} samples of {name} are too few for {request.name}: it needs {least} or more")
