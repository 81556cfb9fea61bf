"""How sinks write signals and alerts in words."""

from __future__ import annotations

import re

from gandiag.core.alert import Alert
from gandiag.core.errors import printable

UNSAFE = re.compile(r"[^\w.\- ]")


def tag(signal: str) -> str:
    """`gandiag/auc`, and `gandiag/A/generator_loss` for the player A: what every tool takes as a name."""
    name, _, player = signal.partition("@")
    return f"gandiag/{UNSAFE.sub('_', player)}/{name}" if player else f"gandiag/{UNSAFE.sub('_', name)}"


def one_line(alert: Alert) -> str:
    """An alert as one line."""
    return printable(f"step {alert.step}: {alert.severity}: {alert.kind}: {alert.message}")


def markdown(alert: Alert) -> str:
    """An alert with its evidence and advice, as Markdown."""
    lines = [f"**{alert.severity}: {alert.kind}** since step {alert.since_step}", alert.message]
    lines += [f"- {name} = {value:.4g}" for name, value in alert.evidence.items()]
    lines += [f"{number}. {advice}" for number, advice in enumerate(alert.advice, 1)]
    return (
        "\n\n".join(printable(line) for line in lines[:2]) + "\n\n" + "\n".join(printable(line) for line in lines[2:])
    )
