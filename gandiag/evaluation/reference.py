"""What samples are scored against: data that is read, and more of the same that is held out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gandiag.core.errors import InputError, UnknownNameError, UsageError, shown
from gandiag.core.modes import Modes
from gandiag.core.protocols import Dataset, Extractor, Source
from gandiag.evaluation.extract import labels_of
from gandiag.evaluation.resolve import Access, Samples, open_dataset, open_source, reference_access
from gandiag.statistics.reference_statistics import ReferenceStatistics
from gandiag.statistics.statistics_file import is_statistics_file, read_statistics

HELD_OUT = {"train": "test", "test": "train"}  # the other split of a dataset


@dataclass(frozen=True)
class Reference:
    """The real side.

    Attributes:
        source: what is read; None where no metric needs a reference, or its statistics are all there is.
        statistics: of a file.
    """

    source: Source | None = None
    statistics: ReferenceStatistics | None = None

    @property
    def name(self) -> str | None:
        """What to call it."""
        if self.statistics is not None:
            return self.statistics.name
        return None if self.source is None else self.source.info.name

    @property
    def sha256(self) -> str | None:
        """Of the samples, or of the file where it does not say."""
        if self.statistics is not None:
            return self.statistics.source_sha256 or self.statistics.sha256
        return None if self.source is None else self.source.info.sha256

    @property
    def precision(self) -> str | None:
        """In which the features of a statistics file were computed, where it says so; None for samples."""
        return None if self.statistics is None else self.statistics.protocol.get("precision")

    @property
    def given(self) -> frozenset[str] | None:
        """The heads that a statistics file gives; None for samples, which give all."""
        if self.statistics is None:
            return None
        bank = self.statistics.bank()
        return frozenset(name for name in ("features", "moments", "spatial_moments") if getattr(bank, name) is not None)

    @property
    def modes(self) -> Modes | None:
        """What its modes are, if it is a dataset that has any."""
        return self.source.modes if isinstance(self.source, Dataset) else None

    @property
    def labelled(self) -> bool:
        """Whether its samples have a class."""
        return self.source is not None and labels_of(self.source, 0, 1) is not None


def open_reference(fake: Source, against: Samples | None, access: Access, *, needing: Sequence[str]) -> Reference:
    """The reference that was named, or that the samples name themselves.

    Args:
        fake: what is scored.
        against: what the user named.
        access: how to open it.
        needing: metrics that cannot do without one.

    Raises:
        UsageError: there is none, and a metric needs it.
    """
    if isinstance(against, ReferenceStatistics):
        return Reference(statistics=against)
    if isinstance(against, str | os.PathLike) and is_statistics_file(against):
        return Reference(statistics=read_statistics(against))
    if against is not None:
        return Reference(open_source(against, reference_access(access)))
    if isinstance(fake, Dataset):
        return Reference(open_dataset(fake.info.name, reference_access(access)))
    if fake.info.dataset is not None:
        try:
            # By name alone: a file must not make gandiag read another file of its choice.
            return Reference(open_dataset(fake.info.dataset, reference_access(access)))
        except UnknownNameError as error:
            message = f"{fake.info.name} says that it imitates the {error}"
            raise UsageError(f"{message}; give a reference with --against") from error
    if needing:
        message = f"{fake.info.name} names no dataset, and {', '.join(needing)} cannot do without a reference"
        raise UsageError(f"{message}; give one with --against")
    return Reference()


def check_statistics(statistics: ReferenceStatistics, fake: Source, extractors: Mapping[str, Extractor]) -> None:
    """See that the samples are of the shape of those behind the statistics, and looked at as those were.

    Raises:
        InputError: they have another shape.
        UsageError: the score would compare two networks, or two ways to resize.
    """
    source = statistics.protocol.get("source")
    shape = source.get("shape") if isinstance(source, Mapping) else None
    if shape is not None and list(fake.info.shape) != list(shape):
        message = f"the samples of {fake.info.name} are {fake.info.shape}, those of the statistics {statistics.name}"
        raise InputError(f"{message} were {tuple(shape)}; score against a reference of the same shape")
    for name, opened in extractors.items():
        ours, theirs = opened.info, statistics
        for what, found, expected, option in (
            ("the extractor", ours.name, theirs.extractor, "--extractor"),
            ("weights", ours.sha256, theirs.extractor_sha256, "--weights"),
            ("the preprocessing", ours.preprocessing, theirs.preprocessing, "--preprocessing"),
        ):
            if expected is not None and found != expected:
                message = f"the statistics {theirs.name} are of {what} {shown(expected)}"
                raise UsageError(f"{message}, and {name} here is of {shown(found)}; see {option}")


def open_held_out(held_out: Samples | None, real: Source | None, fake: Source, access: Access) -> Source | None:
    """The held-out samples that were named, or the other split of the reference, where it is not what is scored.

    Raises:
        InputError: what was named cannot be read, or is the reference itself.
    """
    access = reference_access(access)
    if held_out is not None:
        # What is drawn is drawn anew: with the reference's own seed it would be the reference.
        named = open_source(held_out, replace(access, seed=access.seed + 1))
        known = named.info.size is not None and named.info.sha256 is not None  # not of a generator: its file's, for all
        if known and real is not None and named.info.sha256 == real.info.sha256:
            raise InputError(f"--held-out: {named.info.name} holds the reference's own samples; name others")
        return named
    if not isinstance(real, Dataset):
        return None
    name, _, split = real.info.name.partition(":")
    if not split:  # every draw of it is fresh
        return open_dataset(name, replace(access, seed=access.seed + 1))
    other = open_dataset(f"{name}:{HELD_OUT[split]}", access) if split in HELD_OUT else None
    return other if other is None or other.info.sha256 != fake.info.sha256 else None
