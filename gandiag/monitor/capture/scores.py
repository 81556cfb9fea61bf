"""One score for each sample, from whatever a discriminator returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

DEPTH = 4  # of nested outputs and arguments
How = Literal["scores", "reconstruction"]


class Unreadable(ValueError):
    """A discriminator's output that has no one score a sample; the text says why."""


@dataclass(frozen=True)
class Raw:
    """The part of a discriminator's output that judges.

    Attributes:
        tensors: maps or vectors with one score a sample after the mean over each, all of equal weight.
        how: `scores`, or `reconstruction` of an autoencoder, whose error is the score.
        samples: how many samples it judges.
    """

    tensors: tuple[Tensor, ...]
    how: How
    samples: int

    def per_sample(self, judged: Tensor | None) -> Tensor:
        """Scores (n,) in float32: the higher, the more real to a discriminator that is trained in the usual way.

        Args:
            judged: what was put in; its mean absolute distance to a reconstruction is the score, times -1.
        """
        if self.how == "reconstruction":
            if judged is None:
                raise Unreadable("the input of an autoencoder was not kept")
            error = (self.tensors[0].detach() - judged.detach()).float().abs()
            return -error.flatten(1).mean(dim=1)
        each = [tensor.detach().reshape(self.samples, -1) for tensor in self.tensors]
        means = [rows[:, 0].float() if rows.shape[1] == 1 else rows.float().mean(dim=1) for rows in each]
        return means[0] if len(means) == 1 else torch.stack(means).mean(dim=0)

    def slopes(self, place: int, derivative: Tensor, judged: Tensor) -> Tensor:
        """Derivatives of the loss by the scores, (n, values) in float32, from those by the output.

        For a reconstruction that along its error: what the loss would lose if the error shrank in proportion.

        Args:
            place: of the tensor among `tensors`.
            derivative: of the loss by that tensor.
            judged: what was put in.
        """
        rows = derivative.reshape(self.samples, -1).float()
        if self.how == "scores":
            return rows
        error = (self.tensors[place].detach() - judged.detach()).reshape(self.samples, -1).float()
        smallest = torch.finfo(error.dtype).tiny
        return -(rows * error).sum(dim=1, keepdim=True) / error.abs().mean(dim=1, keepdim=True).clamp_min(smallest)


def tensors_in(value: Any, depth: int = DEPTH) -> list[Tensor]:
    """The floating point tensors in nested lists, tuples and dicts, in order."""
    if isinstance(value, Tensor):
        return [value] if value.is_floating_point() and value.ndim else []
    if depth and isinstance(value, Mapping):
        return [tensor for each in value.values() for tensor in tensors_in(each, depth - 1)]
    if depth and isinstance(value, list | tuple):
        return [tensor for each in value for tensor in tensors_in(each, depth - 1)]
    return []


def judgement(output: Any, judged: Tensor) -> Raw:
    """Find the scores in an output: a value a sample, a map of them, several maps, or a reconstruction of the input.

    Of a tuple or dict the first with one value a sample is taken, else the first map. Of a list all maps of one
    channel are taken: discriminators at several scales, or the last of a list of features.

    Raises:
        Unreadable: there are several columns, or one value for the whole batch.
    """
    count = judged.shape[0]
    if isinstance(output, Tensor):
        return _tensor(output, judged)
    found = tensors_in(output)
    if isinstance(output, list) and len(found) > 1:
        maps = [tensor for tensor in found if _values(tensor, count) and _channels(tensor, judged) == 1]
        if maps:
            return Raw(tuple(maps), "scores", count)
    for tensor in found:
        if tensor.numel() == count and tensor.shape[0] == count:
            return Raw((tensor,), "scores", count)
    for tensor in found:
        single = tensor.ndim > 2 and _channels(tensor, judged) == 1
        if single and _values(tensor, count) and tensor.shape != judged.shape:
            return Raw((tensor,), "scores", count)
    for tensor in found:
        if tensor.shape == judged.shape:
            return Raw((tensor,), "reconstruction", count)
    shapes = ", ".join(str(tuple(tensor.shape)) for tensor in found[:6]) or "none"
    raise Unreadable(f"no output with one value a sample of {count}; its tensors are {shapes}")


def selected(output: Any, judged: Tensor) -> Raw:
    """What a user's function picked.

    Raises:
        Unreadable: it is no tensor with scores of each sample.
    """
    count = judged.shape[0]
    if not isinstance(output, Tensor) or not _values(output, count):
        what = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise Unreadable(f"the function score returned {what} for {count} samples, expected ({count},)")
    return Raw((output,), "scores", count)


def _tensor(output: Tensor, judged: Tensor) -> Raw:
    count = judged.shape[0]
    if output.numel() == count:  # (n,), (n, 1), (n, 1, 1, 1), and () of a batch of one
        return Raw((output,), "scores", count)
    if output.shape == judged.shape:
        return Raw((output,), "reconstruction", count)
    if not _values(output, count):
        raise Unreadable(f"its output {tuple(output.shape)} has no value for each of {count} samples")
    if output.shape[0] == count and _channels(output, judged) > 1:
        raise Unreadable(f"its output {tuple(output.shape)} has several columns")
    return Raw((output,), "scores", count)


def _values(tensor: Tensor, count: int) -> bool:
    """Whether there are equally many values of each sample, samples first."""
    return tensor.numel() > 0 and (tensor.shape[0] % count == 0 if tensor.ndim else count == 1)


def _channels(tensor: Tensor, judged: Tensor) -> int:
    """Columns of (n, c), channels of (n, c, ...); maps (n, h, w) of images have one, series (n, c, t) have theirs."""
    is_map = tensor.ndim == 3 and judged.ndim > 3
    return 1 if tensor.ndim == 1 or is_map else int(tensor.shape[1])
