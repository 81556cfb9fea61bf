"""NaN or infinity in losses, scores, samples, weights or gradients."""

from __future__ import annotations

from dataclasses import dataclass

from gandiag.monitor.detectors._rules import BETWEEN, NOTHING, Finding, Rule, Rules, always, found, number, one_of
from gandiag.monitor.detectors._seen import Seen
from gandiag.monitor.detectors._thresholds import steps, threshold


@dataclass(frozen=True)
class Thresholds:
    """Limits of `non_finite`."""

    skipped_steps: float = threshold(
        0.1,
        "share of steps that a gradient scaler skips, above which it never settles",
        unit="share",
        source="PyTorch's GradScaler skips once in some hundred steps (arXiv:1710.03740)",
        high=1.0,
    )
    loss_scale: float = threshold(1.0, "scale of a gradient scaler below which it has given up", unit="scale")
    release: int = steps(500, "without any, after which the episode ends")
    hold: int = steps(500, "how long a gradient scaler must skip")


CERTAIN = {
    "non_finite_losses": "losses",
    "non_finite_scores": "scores",
    "non_finite_samples": "samples",
    "non_finite_weights": "weights",
}
GRADIENTS = {
    "non_finite_generator_gradients": "gradients of the generator",
    "non_finite_discriminator_gradients": "gradients of the discriminator",
}
ADVICE = (
    "Check first: log, sqrt and division in the losses (`log(sigmoid(x))` is softplus; the norm of a gradient"
    " penalty needs"
    " an epsilon), and the batch of that step.",
    "With float16: keep gradient penalties in float32, and let the scaler unscale before you clip (Mixed Precision"
    " Training, arXiv:1710.03740).",
    "Try: lower learning rates, beta1 of 0 to 0.5 (DCGAN, arXiv:1511.06434), clipping of the gradient norm.",
    "Go back to a checkpoint from before that step: weights that are NaN stay so.",
)


def judge_values(t: Thresholds, seen: Seen) -> Finding:
    """Anything that is not finite, except what a gradient scaler catches on purpose."""
    counts = {name: seen.signals.get(name, 0.0) for name in (*CERTAIN, *GRADIENTS)}
    scaled = seen.last("loss_scale") is not None
    certain = [text for name, text in CERTAIN.items() if counts[name] > 0]
    gradients = [text for name, text in GRADIENTS.items() if counts[name] > 0 and not scaled]
    if not certain and not gradients:
        last = seen.memory.get("last_bad_step")
        return NOTHING if last is None or seen.step - last >= t.release else BETWEEN
    step = seen.signals.get("non_finite_step")
    seen.memory["last_bad_step"] = float(seen.step)
    first = seen.memory.setdefault("first_bad_step", float(seen.step) if step is None else step)
    outcome = "training is lost from here" if certain else "the next step spoils the weights"
    message = (
        f"NaN or infinite {', '.join((*certain, *gradients))}, first at step {first:.0f}, in the window that ends at"
        f" step {seen.step}, where none may be: {outcome}"
    )
    evidence = {**{name: count for name, count in counts.items() if count > 0}, "non_finite_step": first}
    return found("critical" if certain else "warning", message, evidence, ADVICE)


def judge_scaler(t: Thresholds, seen: Seen) -> Finding:
    """A gradient scaler that does not come to rest."""
    skipped, scale = seen.median("skipped_steps", t.hold), seen.last("loss_scale")
    skips = skipped is not None and skipped > t.skipped_steps
    gone = scale is not None and scale < t.loss_scale
    if not skips and not gone:
        return NOTHING
    what = [f"{number(skipped)} of the steps are skipped, over {number(t.skipped_steps)}"] if skips and skipped else []
    what += [f"the loss scale is {number(scale)}, below {number(t.loss_scale)}"] if gone and scale is not None else []
    message = f"{' and '.join(what)} for {t.hold} steps: gradients overflow in float16 all the time"
    evidence = {"skipped_steps": skipped, "loss_scale": scale}
    return found("critical" if skips and gone else "warning", message, evidence, ADVICE)


DETECTOR = Rules(
    kind="non_finite",
    thresholds=Thresholds,
    reads=frozenset({"non_finite_step", "skipped_steps", "loss_scale"}),
    rules=(
        Rule(
            "counts of values that are not finite",
            one_of(*CERTAIN, *GRADIENTS),
            judge_values,
            hold=lambda t: 0,
            least=1,
            ready=always,
        ),
        Rule(
            "counts of values that are not finite",
            one_of(*GRADIENTS),
            judge_scaler,
            hold=lambda t: t.hold,
            ready=always,
        ),
    ),
)
