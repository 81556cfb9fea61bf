"""Which metric looks at what: names, extractors, the union of heads and the number of samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gandiag.core.errors import InputError, UsageError
from gandiag.core.modes import MixtureModes, Modes
from gandiag.core.protocols import Dataset, Extractor, Source
from gandiag.extractors import EXTRACTORS
from gandiag.metrics import METRICS
from gandiag.metrics._metric import Metric

SAMPLES = 50_000  # of the literature, where a dataset does not say


@dataclass(frozen=True)
class Request:
    """One metric with its extractor.

    Attributes:
        name: of the metric.
        metric: what it declares.
        extractor: whose features it looks at; empty until `with_extractor` has chosen the default one.
        suffix: what its scores' keys end in: nothing, or `@extractor` where one was asked for.
        optional: asked for by `all` or by default, so that it may be left out where it does not apply.
    """

    name: str
    metric: Metric
    extractor: str = ""
    suffix: str = ""
    optional: bool = False

    def with_extractor(self, default: str) -> Request:
        """The request with the default extractor where none was asked for."""
        return replace(self, extractor=self.extractor or default)

    def heads(self, modes: Modes | None) -> frozenset[str]:
        """What it needs of the fake side."""
        if isinstance(modes, MixtureModes) and self.metric.mixture_heads is not None:
            return self.metric.mixture_heads
        return self.metric.heads

    @property
    def real_heads(self) -> frozenset[str]:
        """What it needs of the real side."""
        return self.metric.heads if self.metric.real_heads is None else self.metric.real_heads


def parse_metrics(names: Sequence[str]) -> list[Request]:
    """Requests for names and aliases, `NAME@EXTRACTOR`, comma-separated lists, and `all`.

    Raises:
        UnknownNameError: no such metric or extractor.
        UsageError: none is named.
    """
    wanted = [part.strip() for name in names for part in name.split(",") if part.strip()]
    if not wanted:
        raise UsageError(f"no metric is named; known: {', '.join(METRICS.names())}")
    requests: dict[tuple[str, str], Request] = {}
    for text in wanted:
        title, _, extractor = text.partition("@")
        known = METRICS.names() if title == "all" else [METRICS.resolve(title)]
        asked = EXTRACTORS.resolve(extractor) if extractor else ""
        for name in known:
            suffix = f"@{asked}" if asked else ""
            requests[name, asked] = Request(name, METRICS.load(name), asked, suffix, title == "all")
    return list(requests.values())


def applicable(requests: Sequence[Request], extractors: Mapping[str, Extractor], modes: Modes | None) -> list[Request]:
    """The requests without those optional ones that the extractor or the reference's modes cannot serve."""
    return [
        request
        for request in requests
        if not request.optional
        or (
            request.heads(modes) <= extractors[request.extractor].info.heads
            and (modes is not None or not request.metric.needs_modes)
        )
    ]


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
