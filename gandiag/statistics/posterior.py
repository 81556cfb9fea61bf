"""Class posteriors of samples that have several labelled parts, independent given the sample."""

from __future__ import annotations

import torch
from torch import Tensor


def entropy(log_posterior: Tensor) -> Tensor:
    """Entropy in nats over the last dimension; certain posteriors give 0, never NaN."""
    posterior = log_posterior.exp()
    terms: Tensor = torch.special.xlogy(posterior, posterior)
    return -terms.sum(dim=-1)


def joint_log_posterior(log_posterior: Tensor) -> Tensor:
    """The product over the groups: (n, groups, classes) to (n, classes ** groups), the first group varying slowest."""
    joint = log_posterior[:, 0]
    for group in range(1, log_posterior.shape[1]):
        joint = (joint[:, :, None] + log_posterior[:, group, None, :]).flatten(1)
    return joint


def joint_argmax(logits: Tensor) -> Tensor:
    """The most likely joint class of each sample, int64 (n,), numbered as in `joint_log_posterior`."""
    index = torch.zeros(len(logits), dtype=torch.int64, device=logits.device)
    for group in range(logits.shape[1]):
        index = index * logits.shape[2] + logits[:, group].argmax(dim=1)
    return index
