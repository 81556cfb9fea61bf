"""Scoring several sources by one set of settings: what they share is opened once, and extracted once."""

from __future__ import annotations

import datetime
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from gandiag.core import seeds
from gandiag.core.errors import InputError, MissingDataError, UsageError, shown
from gandiag.core.fingerprint import fingerprint
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import (
    Conditioning,
    Dataset,
    Extractor,
    ExtractorOptions,
    ImageSpec,
    Latent,
    Precision,
    Progress,
    ProgressCallback,
    Source,
)
from gandiag.core.result import Result
from gandiag.core.score import Score
from gandiag.core.whole_number import whole_number
from gandiag.evaluation import environment, plan
from gandiag.evaluation.batches import fitting_batch
from gandiag.evaluation.describe import describe_reference, describe_source, find_warnings
from gandiag.evaluation.extract import BATCH, labels_of
from gandiag.evaluation.generators import idle_options, with_prior
from gandiag.evaluation.kept import Keep
from gandiag.evaluation.like import protocol_of
from gandiag.evaluation.partners import (
    Partners,
    check_fed,
    check_targets,
    feeding,
    open_back,
    open_in_order,
    paired_metrics,
)
from gandiag.evaluation.paths import has_paths
from gandiag.evaluation.reference import Reference, check_statistics, open_held_out, open_reference
from gandiag.evaluation.resolve import Access, Samples, open_source
from gandiag.evaluation.sides import Memory, Meter, Pass, Sides, extract_sides
from gandiag.extractors import check_used, open_extractor
from gandiag.statistics import collective
from gandiag.statistics.cache import Cache, default_cache_folder
from gandiag.statistics.feature_bank import FeatureBank

PRECISIONS = ("fp32", "tf32", "bf16")


@dataclass(frozen=True)
class Settings:
    """How sources are scored; the arguments of `gandiag.score`, which explains them, but for the source itself."""

    metrics: Sequence[str] | str | None = None
    against: Samples | None = None
    held_out: Samples | None = None
    inputs: Samples | None = None
    targets: Samples | None = None
    cycle: Samples | None = None
    samples: int | None = None
    seed: int = 0
    extractor: str | os.PathLike[str] | None = None
    weights: str | os.PathLike[str] | None = None
    preprocessing: str | None = None
    like: str | None = None
    device: str = "auto"
    precision: Precision = "fp32"
    compiled: bool = False
    batch_size: int | None = None
    data_root: str | os.PathLike[str] | None = None
    download: bool = False
    cache: str | os.PathLike[str] | bool = False
    progress: ProgressCallback | None = None
    generator: GeneratorOptions = field(default_factory=GeneratorOptions)


@dataclass(frozen=True)
class Opened:
    """A source that was found fit to be scored, with all that this takes.

    Attributes:
        fake: the source.
        reference: what it is scored against.
        held_out: other real samples, where a metric needs some.
        count: samples to take.
        requests: the metrics that can be computed.
        extractors: what they look through, by name.
        batch_size: samples at a time.
        notes: warnings so far.
        seconds: what opening took.
        partners: what goes with each sample of an image-to-image model.
    """

    fake: Source
    reference: Reference
    held_out: Source | None
    count: int
    requests: Sequence[plan.Request]
    extractors: Mapping[str, Extractor]
    batch_size: int
    notes: Sequence[str]
    seconds: float
    partners: Partners = field(default_factory=Partners)


class Scorer:
    """Scores sources one after another; references, extractors and features of real samples are shared.

    Raises:
        GandiagError: an option cannot be used; the message says which and what to do.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings = _checked(settings)
        self._device = environment.resolve_device(settings.device, settings.precision)
        self._rules = protocol_of(settings.like)
        names = [settings.metrics] if isinstance(settings.metrics, str) else settings.metrics
        self._requests = [
            request.with_settings(self._rules.settings.get(request.name, {}), whole=request.name in self._rules.whole)
            for request in plan.parse_metrics(names)
        ]
        if names is None:
            given = {"targets": settings.targets, "cycle": settings.cycle}
            self._requests = plan.beside(self._requests, paired_metrics(given))
        access = Access(
            settings.seed,
            self._device,
            settings.precision,
            # Sample i goes with target i, by the order of their names.
            by_name=self._rules.by_name or settings.targets is not None,
            data_root=None if settings.data_root is None else Path(settings.data_root),
            download=settings.download,
            generator=settings.generator,
        )
        if settings.cycle is not None and settings.inputs is None:
            raise UsageError("--cycle leads back from what a model makes of --inputs; name the images with --inputs")
        self._access = feeding(access, settings.inputs)
        self._targets = None if settings.targets is None else open_in_order(settings.targets, access, "--targets")
        self._references: dict[str | None, Reference] = {}
        self._extractors: dict[str, Extractor] = {}
        self._memory: Memory = {}

    def open(
        self,
        source: Samples,
        *,
        latent: Latent | None = None,
        image: ImageSpec | None = None,
        conditioning: Conditioning | None = None,
    ) -> Opened:
        """Open a source and all that scoring it takes, and see that it can be scored; nothing long is done.

        Raises:
            GandiagError: it cannot; the message says why and what to do.
        """
        settings, rules, started = self._settings, self._rules, time.perf_counter()
        fake = open_source(source, self._access, latent=latent, image=image, conditioning=conditioning)
        notes = idle_options(fake, settings.generator)
        partners = self._partners(fake, notes)
        reference = self._reference(fake)
        fake = with_prior(fake, reference)
        others = None
        if any(request.metric.needs_held_out for request in self._requests):
            others = open_held_out(settings.held_out, reference.source, fake, self._access)
        elif settings.held_out is not None:
            open_held_out(settings.held_out, reference.source, fake, self._access)  # that it is sound, at least
            notes.append("--held-out does not apply: none of these metrics takes other real samples")
        _check_shapes(fake, reference.source, others)
        wanted = settings.samples if settings.samples is not None else rules.samples
        if wanted is None and (partners.given or settings.like is not None):
            wanted = fake.info.size  # one for each input or target; all, as other tools take
        count = plan.sample_count(fake, reference.source, wanted)
        wished = plan.enough(self._requests, count, notes) if partners.given else self._requests
        default = rules.extractor or _default_extractor(reference, fake)
        default = default if settings.extractor is None else str(settings.extractor)
        requests = [
            request.with_extractor(plan.extractor_named(rules.extractors.get(request.name, default)))
            for request in wished
        ]
        extractors, requests = self._open_extractors(requests, notes)
        if reference.statistics is not None:
            check_statistics(reference.statistics, fake, extractors)
            notes += reference.statistics.warnings
            if reference.precision not in (None, settings.precision):
                made = f"the statistics {reference.name} were made in {shown(reference.precision)}"
                notes.append(f"{made}, and these samples are looked at in {settings.precision}: see --precision")
        requests = _served(requests, extractors, fake, reference, others, partners, settings.precision)
        plan.check_samples(requests, count, fake.info.name)
        usual = min((each.info.batch_size for each in extractors.values()), default=BATCH)
        size = settings.batch_size or fitting_batch(usual, fake.info.shape)
        notes += [f"unlike {settings.like}, {difference}" for difference in rules.differs]
        seconds = time.perf_counter() - started
        return Opened(fake, reference, others, count, requests, extractors, size, notes, seconds, partners)

    def score(self, opened: Opened, *, title: str | None = None) -> Result:
        """The Result of a source that was opened.

        Args:
            opened: what `open` gave.
            title: what the progress of this source is called, where there are several.

        Raises:
            GandiagError: its samples or the reference's cannot be read or scored.
        """
        settings, fake, reference = self._settings, opened.fake, opened.reference
        notes, started = list(opened.notes), time.perf_counter()
        capped = settings.samples is None and self._rules.samples is None
        shared = {
            "seed": settings.seed,
            "precision": settings.precision,
            "device": self._device.partition(":")[0],
            "batch_size": opened.batch_size,
        }
        keep = Keep(_cache(settings.cache, notes.append), {**shared, "compiled": settings.compiled})
        progress = _titled(settings.progress, title) if collective.rank() == 0 else None
        how = Pass(opened.extractors, opened.batch_size, self._device, keep, progress, notes.append, self._memory)
        sides = extract_sides(
            opened.requests,
            fake,
            reference,
            opened.held_out,
            opened.count,
            how,
            capped=capped,
            partners=opened.partners,
        )
        extracted = time.perf_counter()
        protocol = {
            "metrics": [request.name + request.suffix for request in opened.requests],
            "samples": opened.count,
            **shared,
            "quantisation": fake.info.quantisation,
            "device": self._device,
            "like": settings.like,
            "processes": collective.world(),
            "held_out": None if opened.held_out is None else opened.held_out.info.sha256,
            **opened.partners.describe(),
            "extractors": {
                name: {"sha256": each.info.sha256, "preprocessing": each.info.preprocessing}
                for name, each in opened.extractors.items()
            },
        }
        scores: dict[str, Score] = {}
        meter = Meter(progress, "metrics", len(opened.requests))
        for request in opened.requests:
            scores.update(_compute(request, sides, reference, protocol, opened.partners, capped=capped))
            meter(1)
        finished = time.perf_counter()
        found = find_warnings(fake, reference.source, scores, opened.count, settings.samples)
        return Result(
            created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            source=describe_source(fake),
            reference=describe_reference(reference.name, reference.sha256, sides.real_samples),
            protocol=protocol,
            scores=scores,
            warnings=tuple(dict.fromkeys([*notes, *found])),
            environment=environment.describe(self._device),
            timing={
                "open": round(opened.seconds, 3),
                "extract": round(extracted - started, 3),
                "compute": round(finished - extracted, 3),
            },
        )

    def _reference(self, fake: Source) -> Reference:
        """The reference that was named, or that the source names; each is opened once."""
        named = fake.info.name if isinstance(fake, Dataset) else fake.info.dataset
        if self._targets is not None and self._settings.against is None and named is None:
            return Reference(self._targets)
        key = None if self._settings.against is not None else named
        if key is None and self._settings.against is None:
            return open_reference(fake, None, self._access, needing=_needing_reference(self._requests))
        if key not in self._references:
            needing = _needing_reference(self._requests)
            self._references[key] = open_reference(fake, self._settings.against, self._access, needing=needing)
        return self._references[key]

    def _partners(self, fake: Source, notes: list[str]) -> Partners:
        """What goes with each sample, found to fit."""
        back, inputs = None, self._access.inputs
        if inputs is not None:
            model = check_fed(fake)
            back = None if self._settings.cycle is None else open_back(self._settings.cycle, model, self._access)
        if self._targets is not None:
            notes += check_targets(self._targets, fake, inputs)
        partners = Partners(inputs, self._targets, back)
        notes += partners.warnings
        return partners

    def _open_extractors(
        self, requests: Sequence[plan.Request], notes: list[str]
    ) -> tuple[dict[str, Extractor], list[plan.Request]]:
        """The extractors, and the requests without those optional ones whose extractor cannot be had here."""
        weights, preprocessing = self._settings.weights, self._settings.preprocessing
        options = ExtractorOptions(
            self._device,
            self._settings.precision,
            None if weights is None else Path(weights),
            preprocessing or self._rules.preprocessing,
            self._settings.compiled,
        )
        names = sorted({request.extractor for request in requests} - {plan.NONE})
        if options.weights is not None and len(names) > 1:
            raise UsageError(f"--weights is one file, and the metrics use the extractors {', '.join(names)}")
        opened: dict[str, Extractor] = {}
        for name in names:
            users = [request for request in requests if request.extractor == name]
            try:
                if name not in self._extractors:
                    self._extractors[name] = open_extractor(name, options)
                opened[name] = self._extractors[name]
            except MissingDataError as error:
                if not all(request.optional for request in users):
                    raise
                notes.append(f"{', '.join(request.name for request in users)} left out: {error}")
        check_used(opened.values(), options.weights, preprocessing)
        kept = [
            request.renamed(opened[request.extractor].info.name) if request.extractor else request
            for request in requests
            if request.extractor == plan.NONE or request.extractor in opened
        ]
        return {each.info.name: each for each in opened.values()}, kept


def _checked(settings: Settings) -> Settings:
    if settings.precision not in PRECISIONS:
        raise UsageError(f"precision is {shown(settings.precision)}, expected one of {', '.join(PRECISIONS)}")
    return replace(
        settings,
        samples=None if settings.samples is None else whole_number("samples", settings.samples, 1),
        batch_size=None if settings.batch_size is None else whole_number("batch_size", settings.batch_size, 1),
        seed=whole_number("seed", settings.seed),
    )


def _needing_reference(requests: Sequence[plan.Request]) -> list[str]:
    return [request.name for request in requests if request.real_heads or request.metric.needs_modes]


def _check_shapes(fake: Source, *others: Source | None) -> None:
    for other in others:
        if other is not None and other.info.shape != fake.info.shape:
            shapes = (
                f"the samples of {fake.info.name} are {fake.info.shape}, those of {other.info.name} {other.info.shape}"
            )
            raise InputError(f"{shapes}; score against a reference of the same shape")


def _titled(told: ProgressCallback | None, title: str | None) -> ProgressCallback | None:
    """The same callback, told of this source's tasks under its title."""
    if told is None or title is None:
        return told

    def advance(progress: Progress) -> None:
        told(replace(progress, task=f"{title}: {progress.task}"))

    return advance


def _default_extractor(reference: Reference, fake: Source) -> str:
    if reference.statistics is not None and reference.statistics.extractor is not None:
        return reference.statistics.extractor
    return plan.default_extractor(reference.source, fake)


def _served(
    requests: Sequence[plan.Request],
    extractors: Mapping[str, Extractor],
    fake: Source,
    reference: Reference,
    held_out: Source | None,
    partners: Partners,
    precision: Precision,
) -> list[plan.Request]:
    """The requests that can be computed here; an error for one that was asked for by name and cannot."""
    available = {
        "images": len(fake.info.shape) == 3,
        "labels": labels_of(fake, 0, 1) is not None,
        "real labels": reference.labelled,
        "paths": has_paths(fake),
        "fp32": precision == "fp32",
        "held out": held_out is not None,
    }
    there = frozenset(name for name, found in available.items() if found) | partners.given
    kept = []
    for request in requests:
        given = extractors[request.extractor].info.heads if request.extractor else frozenset[str]()
        reason = plan.served(request, given, reference.given, there, reference.modes)
        if reason is None:
            kept.append(request)
        elif not request.optional:
            raise UsageError(f"{request.name} {reason}")
    if not kept:
        raise UsageError("no metric can be computed from these samples; name one with --metric to be told why")
    return kept


def _cache(cache: str | os.PathLike[str] | bool, warn: Callable[[str], None]) -> Cache | None:
    if cache is False:
        return None
    return Cache(default_cache_folder() if cache is True else Path(cache), warn=warn)


def _compute(
    request: plan.Request,
    sides: Sides,
    reference: Reference,
    protocol: Mapping[str, Any],
    partners: Partners,
    *,
    capped: bool,
) -> dict[str, Score]:
    fake = sides.fake[request.extractor]
    real = sides.real.get(request.extractor)
    fake = fake.first(request.rows(len(fake), capped=capped))
    real = None if real is None else real.first(request.rows(len(real), capped=capped))
    computed = request.metric.compute(
        real=real if real is not None and request.real_heads else FeatureBank(modes=sides.modes),
        fake=fake,
        rng=seeds.generator(protocol["seed"], "metric", request.name),
    )
    finished = {}
    for name, found in computed.items():
        identity = {
            "score": name,
            "version": request.metric.version,
            "params": dict(found.params),
            "extractor": {"name": request.extractor, **protocol["extractors"].get(request.extractor, {})},
            "precision": protocol["precision"],
            "quantisation": protocol["quantisation"],
            "reference": reference.sha256,
            "n_real": found.n_real,
            "n_fake": found.n_fake,
            **partners.identity(request.metric.heads),
            **({"held_out": protocol["held_out"]} if request.metric.needs_held_out else {}),
            **({} if reference.precision in (None, protocol["precision"]) else {"of_reference": reference.precision}),
        }
        digest = fingerprint(identity)
        finished[name + request.suffix] = replace(found, extractor=request.extractor or None, fingerprint=digest)
    return finished
