from __future__ import annotations

import numpy as np
import torch

from gandiag.statistics.posterior import entropy, joint_argmax, joint_log_posterior


def test_the_joint_posterior_is_the_outer_product(normal):
    logits = normal(7, 3, 4)
    p = logits.softmax(dim=2).numpy()
    joint = np.einsum("na,nb,nc->nabc", p[:, 0], p[:, 1], p[:, 2]).reshape(7, 64)
    np.testing.assert_allclose(joint_log_posterior(logits.log_softmax(dim=2)).exp(), joint, rtol=1e-10)
    np.testing.assert_array_equal(joint_argmax(logits), joint.argmax(axis=1))


def test_the_entropy_of_a_certain_posterior_is_zero():
    certain = torch.tensor([[1e4, 0.0, -1e4]]).double().log_softmax(dim=1)
    assert entropy(certain).item() == 0
    even = torch.zeros(1, 8).double().log_softmax(dim=1)
    np.testing.assert_allclose(entropy(even), np.log(8))
