"""A first policy for a Result: limits that the noise of its scores allows, with a comment on each."""

from __future__ import annotations

import math

from gandiag.core.errors import InputError, printable
from gandiag.core.result import Result
from gandiag.core.score import NORMAL_95, Score
from gandiag.datasets import DATASETS

# Another model as good has its value sqrt(2) standard errors from this one's, and its whole interval must be inside
# 95 times in 100: 1.96 for the interval, 1.645 sqrt(2) for the two draws.
REACH = 1.959963984540054 + 1.6448536269514722 * math.sqrt(2)
SLACK = 0.01  # share of a value without spread
DETECTED = 3.6048136  # 1.96 + 1.645: standard errors between an allowance and what is told from it 95 times in 100


def init_policy(result: Result) -> str:
    """The TOML text of a policy that this Result, and a model as good, passes.

    Raises:
        InputError: no score of the Result can be held to a limit.
    """
    reference = result.reference.get("name")
    against = f"against = {_quoted(str(reference))}"
    known = str(reference).partition(":")[0] in DATASETS.names()
    samples = result.protocol.get("samples")
    lines = [
        f"# Policy of a release, from the scores of {_comment(result.source.get('name'))}, {_comment(result.created)}.",
        "# Tighten the limits to what a release must reach, and delete the gates that do not matter to you.",
        "# A limit lies 4.3 standard errors from the value: another model as good passes it 95 times in 100.",
        "",
        against if known else f"# {against}  # name the reference as --against takes it",
        f"samples = {samples}" if type(samples) is int else "# samples = 10000",
        "confidence = 0.95  # passed: all of the interval is inside the limit; failed: all beyond; else inconclusive",
        'on_inconclusive = "inconclusive"  # exit code 4; or "fail", "warn", "pass"',
    ]
    gates = [(name, score) for name, score in result.scores.items() if _limit(score) is not None]
    if not gates:
        raise InputError("the Result has no score with a value and a better direction, so that none can be limited")
    for name, score in result.scores.items():
        lines += ["", *_gate(name, score)]
    first, score = gates[0]
    lines += [
        "",
        "# Against the last release: gandiag gate ... --baseline HISTORY@last-passed",
        "# [[gate]]",
        f"# metric = {_quoted(first)}",
        f"# max_regression = {_quoted(_regression(score))}  # what so many samples can tell from none, unpaired",
        "",
        "# Of the training run: gandiag gate ... --run RUN",
        "# [[gate]]",
        '# alert = "mode_collapse"',
        "# max_count = 0",
    ]
    return "\n".join(lines) + "\n"


def _gate(name: str, score: Score) -> list[str]:
    limit = _limit(score)
    if limit is None or score.value is None or score.better is None:
        why = score.reason if score.value is None else "it has no better direction"
        return [f"# {_comment(name)} has no gate: {_comment(why)}"]
    value = f"{score.value:.6g}"
    said = f"{value}, 95% {score.ci95[0]:.6g} to {score.ci95[1]:.6g}" if score.ci95 else f"{value}, no error bar"
    lines = [
        f"# {said}, {score.better} is better",
        "[[gate]]",
        f"metric = {_quoted(name)}",
        f"{'max' if score.better == 'lower' else 'min'} = {limit!r}",
    ]
    if score.status != "ok":
        return [f"# unreliable: {_comment(score.reason)}", *(f"# {line}" for line in lines)]
    return lines


def _limit(score: Score) -> float | None:
    """The limit, rounded away from the value to three digits of its distance."""
    if score.value is None or score.better is None:
        return None
    sign = 1.0 if score.better == "lower" else -1.0
    reach = REACH * (score.stderr or 0.0)
    if score.ci95 is not None:
        # The interval may be wider on this side than the standard error says.
        side = score.ci95[1] - score.value if sign > 0 else score.value - score.ci95[0]
        reach = max(reach, side * REACH / NORMAL_95)
    if reach == 0:
        reach = SLACK * abs(score.value)
    if reach == 0:
        return float(score.value)
    step = 10.0 ** (math.floor(math.log10(reach)) - 1)
    steps = sign * math.ceil(sign * (score.value + sign * reach) / step)
    return float(f"{steps * step:.12g}")


def _regression(score: Score) -> str:
    if not score.value or not score.stderr:
        return "5%"
    share = DETECTED * math.sqrt(2) * score.stderr / abs(score.value) * 100
    step = 10.0 ** math.floor(math.log10(share))
    return f"{max(math.ceil(share / step) * step, 1.0):g}%"


def _comment(value: object) -> str:
    return printable(str(value))


def _quoted(text: str) -> str:
    """A TOML basic string."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(char if char.isprintable() else f"\\U{ord(char):08x}" for char in escaped) + '"'
