"""The labels that a conditional generator is fed: label i depends on the seed and i alone, or is row i of a file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.generator_options import LABELS
from gandiag.sources.latents import read_rows


@dataclass(frozen=True)
class Labels:
    """The labels of all samples.

    Attributes:
        classes: how many there are.
        how: `uniform`, `prior`, `class` or `file`.
        form: `index`, int64 (n,), or `one-hot`, float32 (n, classes).
        only: the one class.
        rows: the labels of a file, int64 (n,).
        frequencies: of each class, for `prior`; None until the reference is known.
    """

    classes: int
    how: str = "uniform"
    form: str = "index"
    only: int = 0
    rows: Tensor | None = None
    frequencies: tuple[float, ...] | None = None

    @property
    def size(self) -> int | None:
        """How many there are; None for as many as asked."""
        return None if self.rows is None else len(self.rows)

    def draw(self, seed: int, start: int, stop: int) -> Tensor:
        """The labels of samples `start` to `stop`: int64 (n,)."""
        if self.rows is not None:
            return self.rows[start:stop]
        if self.how == "class":
            return torch.full((stop - start,), self.only, dtype=torch.int64)
        if self.how == "prior" and self.frequencies is not None:
            ends = np.cumsum(self.frequencies)
            drawn = np.searchsorted(ends / ends[-1], seeds.uniform(seed, "labels", start, stop, 1)[:, 0], side="right")
            return torch.from_numpy(drawn.astype(np.int64))
        return torch.from_numpy(seeds.integers(seed, "labels", start, stop, 1, self.classes)[:, 0])

    def encoded(self, labels: Tensor) -> Tensor:
        """Labels int64 (n,) in the form that the generator takes."""
        return labels if self.form == "index" else torch.nn.functional.one_hot(labels, self.classes).float()

    def with_frequencies(self, counts: Tensor, name: str) -> Labels:
        """The same, drawn with the frequencies of a reference's labels, int64 (n,).

        Raises:
            UsageError: the reference has classes that the generator has not, or several labels a sample.
        """
        if counts.ndim != 1:
            raise UsageError(f"--labels prior needs one label a sample, and {name} has several; use uniform or a file")
        if int(counts.max()) >= self.classes:
            message = f"the reference {name} has a class {int(counts.max())}, and the generator {self.classes} classes"
            raise UsageError(f"{message}, numbered from 0; choose other --labels")
        found = torch.bincount(counts, minlength=self.classes).double() / len(counts)
        return replace(self, frequencies=tuple(found.tolist()))

    def describe(self) -> dict[str, Any]:
        """For the Result."""
        described: dict[str, Any] = {"classes": self.classes, "labels": self.how, "form": self.form}
        if self.how == "class":
            described["class"] = self.only
        if self.rows is not None:
            described["sha256"] = hashlib.sha256(self.rows.numpy().tobytes()).hexdigest()
        if self.frequencies is not None:
            described["frequencies"] = list(self.frequencies)
        return described


def named_labels(labels: str | None, classes: int, form: str = "index") -> Labels:
    """Labels by name: `uniform` (also for None), `prior`, the number of a class, or a file of whole numbers.

    Raises:
        InputError: the file cannot be read, or holds other than classes.
        UsageError: it is none of these.
    """
    if labels is None or labels in LABELS:
        return Labels(classes, labels or "uniform", form)
    if labels.isdecimal() and len(labels) < 10:
        if int(labels) >= classes:
            raise UsageError(f"--labels is the class {int(labels)}, and the generator has {classes}, numbered from 0")
        return Labels(classes, "class", form, only=int(labels))
    path = Path(labels)
    if not path.is_file():
        raise UsageError(f"--labels is {shown(labels)}, expected {', '.join(LABELS)}, a class's number, or a file")
    rows = read_rows(path, "labels")
    if rows.ndim != 1 or len(rows) == 0:
        raise InputError(f"the labels of {shown(path)} have the shape {tuple(rows.shape)}, expected one a sample")
    whole = rows.to(torch.int64)
    if not torch.equal(whole.double(), rows.double()):
        raise InputError(f"the labels of {shown(path)} are not whole numbers")
    if int(whole.min()) < 0 or int(whole.max()) >= classes:
        message = f"the labels of {shown(path)} run from {int(whole.min())} to {int(whole.max())}"
        raise InputError(f"{message}, and the generator has {classes} classes, numbered from 0")
    return Labels(classes, "file", form, rows=whole)
