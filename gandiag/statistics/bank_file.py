"""A FeatureBank as named tensors and back, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from gandiag.core.errors import InputError
from gandiag.statistics.feature_bank import FeatureBank
from gandiag.statistics.grouped_moments import GroupedMoments
from gandiag.statistics.moments import Moments
from gandiag.statistics.rows import Rows

Values = Tensor | Rows


def bank_tensors(bank: FeatureBank) -> dict[str, Values]:
    """What a bank holds of its samples, by name; not what it says of the dataset, `modes` and `held_out`."""
    plain = {
        "features": bank.features,
        "logits": bank.logits,
        "images": bank.images,
        "labels": bank.labels,
        "paths": bank.paths,
    }
    tensors: dict[str, Values] = {name: values for name, values in plain.items() if values is not None}
    if bank.moments is not None:
        tensors.update(moments_tensors("moments", bank.moments))
    if bank.spatial_moments is not None:
        tensors.update(moments_tensors("spatial_moments", bank.spatial_moments))
    return tensors


def bank_from(tensors: Mapping[str, Values]) -> FeatureBank:
    """The bank whose `bank_tensors` these are.

    Raises:
        InputError: they are not of a bank.
    """
    return FeatureBank(
        features=tensors.get("features"),
        logits=tensors.get("logits"),
        moments=moments_from("moments", tensors),
        spatial_moments=moments_from("spatial_moments", tensors),
        images=tensors.get("images"),
        labels=_tensor("labels", tensors),
        paths=_tensor("paths", tensors),
    )


def moments_tensors(name: str, moments: GroupedMoments) -> dict[str, Values]:
    """Grouped moments as tensors whose names begin with `name`."""
    tensors: dict[str, Values] = {f"{name}.rows": moments.rows}
    if moments.count is not None:
        tensors[f"{name}.count"] = torch.tensor(moments.count)
    if moments.lowest is not None and moments.highest is not None:
        tensors[f"{name}.lowest"], tensors[f"{name}.highest"] = moments.lowest, moments.highest
    if not moments.from_rows:
        tensors[f"{name}.groups.count"] = torch.tensor([group.count for group in moments.groups])
        tensors[f"{name}.groups.mean"] = torch.stack([group.mean for group in moments.groups])
        tensors[f"{name}.groups.scatter"] = _packed([group.scatter for group in moments.groups])
    return tensors


def moments_from(name: str, tensors: Mapping[str, Values]) -> GroupedMoments | None:
    """The grouped moments under `name`, if there are any.

    Raises:
        InputError: their shapes disagree, or a value is not finite.
    """
    rows = _tensor(f"{name}.rows", tensors)
    if rows is None:
        return None
    parts = {field: _tensor(f"{name}.{field}", tensors) for field in ("count", "lowest", "highest")}
    counts, means, scatters = (_tensor(f"{name}.groups.{field}", tensors) for field in ("count", "mean", "scatter"))
    groups = None
    if counts is not None and means is not None and scatters is not None:
        groups = _groups(name, rows, counts, means, scatters)
    for values in (rows, means, scatters):
        if values is not None and not bool(torch.isfinite(values).all()):
            raise InputError(f"{name} hold values that are not finite")
    count = parts["count"]
    return GroupedMoments(
        count=None if count is None else int(count),
        rows=rows,
        lowest=parts["lowest"],
        highest=parts["highest"],
        groups=groups,
    )


def _groups(name: str, rows: Tensor, counts: Tensor, means: Tensor, scatters: Tensor) -> list[Moments]:
    number, dimension = len(counts), rows.shape[-1]
    triangle = (number, dimension * (dimension + 1) // 2)
    fits = rows.ndim == 2 and counts.ndim == 1 and tuple(means.shape) == (number, dimension) and number > 0
    if not fits or tuple(scatters.shape) not in (triangle, (number, dimension, dimension)):
        raise InputError(f"the shapes of {name} do not fit each other")
    return [
        Moments(int(count), mean, scatter if scatter.ndim == 2 else _unpacked(scatter, dimension))
        for count, mean, scatter in zip(counts, means, scatters, strict=True)
    ]


def _packed(scatters: Sequence[Tensor]) -> Tensor:
    """The upper triangles of symmetric matrices, (g, d (d + 1) / 2); others as they are, (g, d, d).

    A matrix product rounds `(i, j)` and `(j, i)` apart now and then, and what is loaded must be what was stored.
    """
    if not all(torch.equal(scatter, scatter.T) for scatter in scatters):
        return torch.stack(tuple(scatters))
    dimension = len(scatters[0])
    row, column = torch.triu_indices(dimension, dimension, device=scatters[0].device)
    return torch.stack([scatter[row, column] for scatter in scatters])


def _unpacked(triangle: Tensor, dimension: int) -> Tensor:
    row, column = torch.triu_indices(dimension, dimension)
    scatter = triangle.new_empty(dimension, dimension)
    scatter[row, column] = triangle
    scatter[column, row] = triangle
    return scatter


def _tensor(name: str, tensors: Mapping[str, Values]) -> Tensor | None:
    values = tensors.get(name)
    return values.tensor() if isinstance(values, Rows) else values
