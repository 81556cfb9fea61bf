"""What a generator's options need of the other side, and whether they apply at all."""

from __future__ import annotations

from gandiag.core.errors import UsageError, shown
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Dataset, Source
from gandiag.evaluation.extract import labels_of
from gandiag.evaluation.reference import Reference
from gandiag.sources.generator import GeneratorSource

DRAWN = 50_000  # labels of a reference that is drawn, from which its frequencies are told


def with_prior(fake: Source, reference: Reference) -> Source:
    """A generator whose labels follow the reference's, if that is what it wants; any other source as it is.

    Raises:
        UsageError: the reference has no labels, or other classes.
    """
    if not isinstance(fake, GeneratorSource) or not fake.wants_prior:
        return fake
    real = reference.source
    count = 0 if real is None else real.info.size or (real.samples if isinstance(real, Dataset) else DRAWN)
    labels = None if real is None else labels_of(real, 0, count)
    if labels is None:
        message = f"--labels prior follows the labels of the reference, and {shown(reference.name)} has none"
        raise UsageError(f"{message}; use uniform, a class or a file")
    return fake.with_prior(labels, str(reference.name))


def idle_options(fake: Source, options: GeneratorOptions) -> list[str]:
    """A warning where options were given that no generator is there to take."""
    given = options.given()
    if not given or isinstance(fake, GeneratorSource):
        return []
    return [f"{', '.join(given)} does not apply to {fake.info.name}, which is no generator"]
