"""Logistic regression with a quadratic penalty, solved to its only minimum."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

ITERATIONS = 500


@dataclass(frozen=True)
class Logistic:
    """A linear classifier.

    Attributes:
        weights: (d,).
        bias: what is added.
    """

    weights: Tensor
    bias: float

    def logits(self, rows: Tensor) -> Tensor:
        """Log odds (n,) that each row is of the second kind."""
        return rows @ self.weights + self.bias


def fit_logistic(rows: Tensor, second: Tensor, penalty: float) -> Logistic:
    """The minimum of the mean log loss plus `penalty / 2 |w|^2`; the bias is free.

    Args:
        rows: (n, d), standardised.
        second: bool (n,), which rows are of the second kind.
        penalty: above 0.
    """
    signs = torch.where(second, 1.0, -1.0).to(rows)
    parameters = torch.zeros(rows.shape[1] + 1, dtype=rows.dtype, device=rows.device)
    solver = torch.optim.LBFGS(
        [parameters],
        max_iter=ITERATIONS,
        history_size=20,
        tolerance_grad=1e-7,
        tolerance_change=1e-12,
        line_search_fn="strong_wolfe",
    )

    def step() -> Tensor:
        # The gradient is written out: it costs less than a recorded graph and works where gradients are off.
        weights, bias = parameters[:-1], parameters[-1]
        margins = signs * (rows @ weights + bias)
        pull = -signs * torch.sigmoid(-margins) / len(rows)
        parameters.grad = torch.cat([rows.T @ pull + penalty * weights, pull.sum()[None]])
        return softplus(-margins).mean() + penalty / 2 * weights.square().sum()

    solver.step(step)  # type: ignore[no-untyped-call]
    return Logistic(parameters[:-1].clone(), float(parameters[-1]))
