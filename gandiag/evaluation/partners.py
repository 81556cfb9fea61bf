"""What goes with each sample of an image-to-image model: its input, the image that is wanted, and what comes back."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from torch import Tensor

from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import ImageSpec, Source
from gandiag.evaluation.batches import Batch
from gandiag.evaluation.resolve import Access, Samples, open_source, reference_access
from gandiag.sources.checkpoint import load_checkpoint
from gandiag.sources.generator import GeneratorSource

PARTNERS = frozenset({"inputs", "targets", "cycled"})  # heads of a bank that come from partners


@dataclass(frozen=True)
class Partners:
    """Sources whose sample i goes with sample i of what is scored.

    Attributes:
        inputs: what the model is fed.
        targets: what it should make of it.
        back: the model that leads back, which is fed what the first one makes.
    """

    inputs: Source | None = None
    targets: Source | None = None
    back: GeneratorSource | None = None

    @property
    def given(self) -> frozenset[str]:
        """The heads that there are."""
        found = {"inputs": self.inputs, "targets": self.targets, "cycled": self.back}
        return frozenset(head for head, source in found.items() if source is not None)

    @property
    def warnings(self) -> list[str]:
        """What to know of how they were read."""
        known = (self.inputs, self.targets, self.back)
        return [each for source in known if source is not None for each in source.info.warnings]

    def read(self, head: str, batch: Batch) -> Tensor | None:
        """The rows of a head for a batch, on its device; None where there are none."""
        samples = batch.samples
        if head == "cycled":
            return None if self.back is None or samples is None else self.back.outputs(samples, batch.start)
        source = self.inputs if head == "inputs" else self.targets
        if source is None:
            return None
        found = source.read(batch.start, batch.stop)
        return found if samples is None else found.to(samples.device)

    def describe(self) -> dict[str, dict[str, Any]]:
        """For the protocol: what is given, by its option."""
        known = {"inputs": self.inputs, "targets": self.targets, "cycle": self.back}
        return {
            option: {"name": source.info.name, "sha256": source.info.sha256}
            for option, source in known.items()
            if source is not None
        }

    def identity(self, heads: frozenset[str]) -> dict[str, Any]:
        """What must agree for two scores to compare: the inputs, and the targets of a metric that looks at them."""
        known = {"inputs": self.inputs, "targets": self.targets if "targets" in heads else None}
        return {head: source.info.sha256 or source.info.name for head, source in known.items() if source is not None}


def feeding(access: Access, inputs: Samples | None) -> Access:
    """Access to models that are fed these inputs; the same where there are none.

    Raises:
        InputError: they cannot be read, or are a generator of noise.
    """
    return access if inputs is None else replace(access, inputs=open_in_order(inputs, access, "--inputs"))


def open_in_order(samples: Samples, access: Access, option: str) -> Source:
    """Inputs or targets in the order of their names.

    Raises:
        InputError: they cannot be read, or are a generator of noise.
    """
    source = open_source(samples, replace(reference_access(access), by_name=True))
    if len(source.info.shape) != 3:
        message = f"{option} takes images, and {shown(source.info.name)} holds points of shape {source.info.shape}"
        raise InputError(message)
    return source


def check_fed(fake: Source) -> GeneratorSource:
    """The model that takes the inputs.

    Raises:
        UsageError: it is none.
    """
    if isinstance(fake, GeneratorSource) and fake.fed is not None:
        return fake
    message = f"--inputs is for a model that makes images of images, and {shown(fake.info.name)} is {_kind(fake)}"
    raise UsageError(f"{message}; leave --inputs out, or score the model itself")


def _kind(source: Source) -> str:
    if isinstance(source, GeneratorSource):
        return "a generator of noise"
    return {"images": "a set of images", "array": "an array", "dataset": "a dataset"}.get(source.info.kind, "none")


def check_targets(targets: Source, fake: Source, inputs: Source | None) -> list[str]:
    """See that target i is what sample i should be, by number, size and name; what to know of how they were paired.

    Files are paired in the order of their names, without suffix and common folders. Where the two sides share no name,
    as of `0001x4.png` and `0001.png`, the order alone pairs them, which is said.

    Raises:
        InputError: numbers, sizes or names do not fit.
    """
    first = fake if inputs is None else inputs
    ours, theirs = shown(first.info.name), shown(targets.info.name)
    names, others = _stems(first), _stems(targets)
    if first.info.size != targets.info.size:
        message = f"{ours} has {_many(first)} and the targets {theirs} {_many(targets)}, expected one target for each"
        lacking = _lacking(names, others)
        raise InputError(f"{message}{lacking}")
    made, wanted = fake.info.shape, targets.info.shape
    if made[1:] != wanted[1:] or (made[0] != wanted[0] and 1 not in (made[0], wanted[0])):
        message = f"the images that {shown(fake.info.name)} makes are {made}, and the targets {theirs} are {wanted}"
        raise InputError(f"{message}; they are compared pixel by pixel, so give targets of that shape")
    notes = []
    if made[0] != wanted[0]:
        grey = "targets" if wanted[0] == 1 else "samples"
        notes.append(f"the {grey} are grey and the others in colour: their one channel is compared with each of three")
    if names is None or others is None or names == others:
        return notes
    ends, other_ends = _told_apart(names), _told_apart(others)
    if ends != other_ends and set(ends) == set(other_ends):
        first_apart = next(place for place, end in enumerate(ends) if end != other_ends[place])
        message = f"the names of {ours} and of the targets {theirs} sort differently"
        pair = f"{shown(names[first_apart])} would be paired with {shown(others[first_apart])}"
        raise InputError(f"{message}: {pair}; give both sides equal names, or numbers of equal length as 0001")
    if set(names) & set(others):
        raise InputError(f"the names of {ours} and of the targets {theirs} do not agree{_lacking(names, others)}")
    message = f"{ours} and the targets {theirs} are paired by their order, as they have no name in common"
    return [
        *notes,
        f"{message}: {shown(names[0])} with {shown(others[0])}, {shown(names[-1])} with {shown(others[-1])}",
    ]


def _many(source: Source) -> str:
    return "as many images as asked" if source.info.size is None else f"{source.info.size} images"


def _lacking(names: Sequence[str] | None, others: Sequence[str] | None) -> str:
    """The first name that one side has and the other has not."""
    if names is None or others is None:
        return ""
    left, right = set(names), set(others)
    alone = next((each for each in names if each not in right), None)
    if alone is not None:
        return f": there is no target for {shown(alone)}"
    surplus = next((each for each in others if each not in left), None)
    return "" if surplus is None else f": the target {shown(surplus)} has no partner"


def _told_apart(names: Sequence[str]) -> list[str]:
    """What tells these names apart: each without what all begin or end with."""
    start = _alike(names)
    rest = [name[start:] for name in names]
    end = _alike([name[::-1] for name in rest])
    return [name[: len(name) - end] for name in rest]


def _alike(names: Sequence[str]) -> int:
    """With how many characters that are the same all names begin."""
    first, last = min(names), max(names)  # whatever lies between these begins as both do
    return next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))


def _stems(source: Source) -> list[str] | None:
    """Names of a source's files without suffixes and the folders that all are in; None where it has none."""
    names: Sequence[str] | None = getattr(source, "names", None)
    if names is None:
        return None
    folder = os.path.commonpath([str(PurePosixPath(name).parent) for name in names]) if names else ""
    relative = [PurePosixPath(name).relative_to(folder) if folder else PurePosixPath(name) for name in names]
    return [str(name.with_suffix("")) for name in relative]


def open_back(cycle: Samples, fake: GeneratorSource, access: Access) -> GeneratorSource:
    """The model that leads back: it takes the values that the first one gives, and gives those that this takes.

    Raises:
        InputError: it cannot be read, or does not lead back to the shape of the inputs.
        UsageError: it is no image-to-image model.
    """
    inputs = fake.fed
    if inputs is None:
        raise UsageError(
            f"--cycle leads back from what a model makes of images, and {shown(fake.info.name)} takes none"
        )
    found: Samples = _own_checkpoint(cycle)
    options = GeneratorOptions()
    if found is None:
        # Two models of one program: what the user says of the first holds for the second, with the ranges swapped.
        found, options = cycle, access.generator
        options = replace(options, input_range=fake.image.range, image_range=inputs.image.range, image_shape=None)
    back = open_source(
        found,
        replace(access, inputs=fake, generator=options),
        image=ImageSpec(inputs.image.shape, inputs.image.range),
    )
    if not isinstance(back, GeneratorSource) or back.fed is None:
        raise UsageError(f"--cycle takes a model that makes images of images, and {shown(back.info.name)} is none")
    given, wanted = back.info.shape, inputs.source.info.shape
    if given[1:] != wanted[1:] or (given[0] != wanted[0] and 1 not in (given[0], wanted[0])):
        message = f"--cycle {shown(back.info.name)} leads back to images of {given}"
        raise InputError(f"{message}, and the inputs {shown(inputs.source.info.name)} are {wanted}")
    return back


def _own_checkpoint(cycle: Samples) -> Samples | None:
    """A gandiag checkpoint, which says its ranges itself; None for what is none."""
    if not isinstance(cycle, str | os.PathLike):
        return None
    try:
        return load_checkpoint(cycle)
    except InputError:
        return None


def paired_metrics(partners: Mapping[str, object]) -> list[str]:
    """The metrics that are computed without being named, by the options that were given."""
    named = {"targets": ("psnr", "ssim"), "cycle": ("cycle_error",)}
    return [metric for option, metrics in named.items() if partners.get(option) is not None for metric in metrics]
