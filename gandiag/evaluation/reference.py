"""What samples are scored against: data that is read, and more of the same that is held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from gandiag.core.errors import UnknownNameError, UsageError
from gandiag.core.modes import Modes
from gandiag.core.protocols import Dataset, Source
from gandiag.evaluation.extract import labels_of
from gandiag.evaluation.resolve import Access, Samples, open_dataset, open_source, reference_access

HELD_OUT = {"train": "test", "test": "train"}  # the other split of a dataset


@dataclass(frozen=True)
class Reference:
    """The real side.

    Attributes:
        source: what is read; None where no metric needs a reference.
    """

    source: Source | None = None

    @property
    def name(self) -> str | None:
        """What to call it."""
        return None if self.source is None else self.source.info.name

    @property
    def sha256(self) -> str | None:
        """Of its content."""
        return None if self.source is None else self.source.info.sha256

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


def open_held_out(held_out: Samples | None, real: Source | None, access: Access) -> Source | None:
    """The held-out samples that were named, or the other split of the reference where there is one.

    Raises:
        InputError: what was named cannot be read.
    """
    access = reference_access(access)
    if held_out is not None:
        return open_source(held_out, access)
    if not isinstance(real, Dataset):
        return None
    name, _, split = real.info.name.partition(":")
    if not split:  # every draw of it is fresh
        return open_dataset(name, replace(access, seed=access.seed + 1))
    return open_dataset(f"{name}:{HELD_OUT[split]}", access) if split in HELD_OUT else None
