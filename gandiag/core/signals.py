"""The signals of a training run: their names, the same in the monitor, the run log, the detectors and the reports.

A record holds the signals of a window of steps. A signal of one of several players of a kind has the player's name
behind an `@`, as in `generator_gradient_norm@A`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Record:
    """What was measured over the window of steps that ends at `step`.

    Attributes:
        step: of the run: updates of the generator, or what the user's loop counts.
        time: seconds since the run began, pauses between a stop and a resume left out.
        signals: name to finite value; a signal that was not measured is not there.
    """

    step: int
    time: float
    signals: Mapping[str, float] = field(default_factory=dict)


SIGNALS: dict[str, str] = {
    "generator_gradient_norm": "median, over the steps tracked in the window, of the generator's global gradient norm",
    "generator_gradient_norm_max": "largest of them",
    "generator_gradient_zero": "share of the tracked steps at which the generator had no gradient, or one of exactly 0",
    "generator_update_ratio": "way of the generator's weights over its last 100 steps, start to end, over their norm",
    "generator_loss": "mean of the generator's loss",
    "generator_learning_rate": "the generator's learning rate",
    "generator_steps": "updates of the generator so far",
    "generator_parameters": "numbers in the generator's trained weights; constant",
    "discriminator_gradient_norm": "as of the generator",
    "discriminator_gradient_norm_max": "as of the generator",
    "discriminator_gradient_zero": "as of the generator",
    "discriminator_update_ratio": "as of the generator",
    "discriminator_loss": "mean of the discriminator's loss",
    "discriminator_learning_rate": "the discriminator's learning rate",
    "discriminator_steps": "updates of the discriminator so far",
    "real_score": "mean of the discriminator's raw output on real samples",
    "fake_score": "mean of the discriminator's raw output on fakes",
    "score_magnitude": "largest absolute raw output of the discriminator",
    "real_confidence": "mean probability that the discriminator gives real samples of being real",
    "fake_confidence": "mean probability that the discriminator gives fakes of being real",
    "auc": "probability that the discriminator scores a real sample above a fake one",
    "d_prime": "difference of the mean scores of real and fake over their pooled standard deviation",
    "saturation": "share of the discriminator's outputs at which its loss is flat",
    "loss_slope": "mean absolute derivative of the generator's loss by the discriminator's output, per sample",
    "discriminator_direction": "where the discriminator's loss pushes its score of real samples: 1 up, -1 down",
    "generator_direction": "where the generator's loss pushes the score of the fakes: 1 up, -1 down",
    "variance_ratio": "total variance of the fakes over that of the real samples",
    "pairwise_distance_ratio": "mean distance between fakes over that between real samples",
    "nearest_neighbour_ratio": "median nearest-neighbour distance among fakes over that among real samples",
    "coverage": "share of real samples that have a fake within their fifth neighbour's distance",
    "vendi_ratio": "Vendi score of the fakes over that of as many real samples",
    "held_out_score": "mean raw output of the discriminator on held-out real samples",
    "held_out_auc": "probability that the discriminator scores a real sample above a held-out one",
    "held_out_gap": "how far the held-out score lies from the real one towards the fake one, 0 to 1",
    "non_finite_generator_gradients": "tracked steps with a NaN or infinite gradient of the generator",
    "non_finite_discriminator_gradients": "tracked steps with a NaN or infinite gradient of the discriminator",
    "non_finite_losses": "NaN or infinite losses",
    "non_finite_scores": "batches with a NaN or infinite output of the discriminator",
    "non_finite_samples": "batches with a NaN or infinite fake",
    "non_finite_weights": "checks at which a weight was NaN or infinite",
    "non_finite_step": "the first step of the window at which something was not finite",
    "skipped_steps": "share of the optimizer steps that a gradient scaler skipped",
    "loss_scale": "scale of the gradient scaler",
}
# A quality that `evaluate_every` measured stands under `quality_NAME`, its standard error under `quality_NAME_stderr`,
# and `quality_NAME_better` is 1 where higher is better, -1 where lower is.
QUALITY = "quality_"


def player_of(signal: str) -> str | None:
    """The player's name behind the `@`, or None."""
    return signal.partition("@")[2] or None
