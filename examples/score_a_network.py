"""Score a network that is in memory, and see what one number alone does not show."""

from __future__ import annotations

import torch
from torch import nn

import gandiag


def main() -> None:
    """A linear map cannot make eight modes out of one, and the scores say so."""
    generator = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        generator.weight.copy_(torch.eye(2) * 0.5**0.5)  # the ring's own covariance: only FID is pleased
    result = gandiag.score(
        generator,
        ["fid", "pr", "modes"],
        latent=gandiag.Latent(2),
        image=gandiag.ImageSpec((2,)),
        against="ring8",
    )
    for name, score in result.scores.items():
        print(f"{name:16} {score.value} {score.ci95} {score.status}")


if __name__ == "__main__":
    main()
