"""Foreign names of signals: "Loss/D", "errG", "D(x)" or "train/netG_grad_norm" are guessed by rules, never silently.

A name counts only if all of its words are understood. What stands in a part of a loss ("loss_D_real", "r1_penalty") or
was measured outside training ("val_loss_g") is no signal of the training, and is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gandiag.core.errors import InputError, UnknownNameError, UsageError, shown
from gandiag.core.signals import QUALITY, SIGNALS
from gandiag.monitor.importers.series import Log, Series

GENERATOR = frozenset({"g", "gen", "generator", "netg", "gnet"})
DISCRIMINATOR = frozenset({"d", "dis", "disc", "discriminator", "netd", "dnet", "critic"})
SIDES = {"real": "real", "reals": "real", "fake": "fake", "fakes": "fake", "generated": "fake"}
SCORES = frozenset({"score", "scores", "logit", "logits", "output", "outputs", "out", "pred", "prediction"})
CONFIDENCES = frozenset({"confidence", "conf", "prob", "probability"})
LOSSES = frozenset({"loss", "losses", "err", "error", "cost"})
GRADIENTS = frozenset({"grad", "grads", "gradient", "gradients"})
# Words that say nothing about which signal it is.
FILLERS = frozenset(
    {"train", "training", "net", "model", "batch", "step", "iter", "avg", "average", "mean", "total", "gan", "adv"}
    | {"adversarial", "scalar", "scalars", "metric", "metrics", "running", "hinge", "bce", "wgan", "l2", "global"}
    | {"the", "of", "raw", "optimizer", "opt"}
)
# Written in one word.
FUSED = {"gloss": "g loss", "dloss": "d loss", "lossg": "loss g", "lossd": "loss d", "errg": "err g", "errd": "err d"}
FUSED |= {"gradnorm": "grad norm", "lrg": "lr g", "lrd": "lr d", "glr": "g lr", "dlr": "d lr"}
REAL_OUTPUT = re.compile(r"d[_ ]?\(?x\)?")  # D(x), D_x
FAKE_OUTPUT = re.compile(r"d[_ ]?\(?g[_ ]?\(?z[12]?\)*[12]?")  # D(G(z)), D_G_z1
# Of a part of a loss, or of what is measured outside training.
VETOES = frozenset(
    {"penalty", "gp", "r1", "r2", "reg", "cycle", "cyc", "identity", "idt", "recon", "reconstruction", "l1"}
)
VETOES |= {"perceptual", "fm", "cls", "class", "aux", "info", "kl", "pl", "val", "valid", "validation", "test", "eval"}


@dataclass(frozen=True)
class Mapped:
    """Which foreign series is which signal.

    Attributes:
        series: by signal.
        unmapped: foreign names that are no signal, and why.
    """

    series: Mapping[str, Series]
    unmapped: Mapping[str, str]


def check_signal(name: str) -> str:
    """The name of a signal, with or without a player.

    Raises:
        UnknownNameError: there is no such signal.
    """
    base = name.partition("@")[0]
    if base not in SIGNALS and not (base.startswith(QUALITY) and len(base) > len(QUALITY)):
        raise UnknownNameError("signal", name, SIGNALS)
    return name


def guess(name: str, values: Iterable[float] = ()) -> str | None:
    """The signal that a foreign name means, or None.

    Args:
        name: the foreign name.
        values: finite ones of the series; they tell a probability from a raw output.
    """
    values = list(values)
    own = _own_name(name)
    if own is not None and "gandiag/" not in name:  # other tools write probabilities under these names too
        side, _, rest = own.partition("_score")
        if side in SIDES and rest[:1] in ("", "@"):
            return f"{side}_{_kind_of_output(values)}{rest}"
    if own is not None or VETOES.intersection(_words(name)):
        return own
    last = name.rpartition("/")[2].strip().lower()
    if REAL_OUTPUT.fullmatch(last):
        return f"real_{_kind_of_output(values)}"
    if FAKE_OUTPUT.fullmatch(last):
        return f"fake_{_kind_of_output(values)}"
    parts = name.split("/")  # the first ones are often the names of an experiment
    guesses = (_signal(_words("/".join(parts[begin:])), values) for begin in range(len(parts)))
    return next((signal for signal in guesses if signal is not None), None)


def mapped(series: Iterable[Series], overrides: Mapping[str, str] | None = None) -> Mapped:
    """Decide which series is which signal.

    Args:
        series: of a foreign log.
        overrides: foreign name to signal; an empty signal leaves the series out.

    Raises:
        UnknownNameError: an override names a series or a signal that is not there.
        UsageError: two overrides name one signal.
        InputError: several runs lie in one log, or an override names a series that cannot be read.
    """
    unread = series.unread if isinstance(series, Log) else {}
    series = list(series)
    overrides = dict(overrides or {})
    known = {one.name for one in series}
    taken: dict[str, Series] = {}
    unmapped: dict[str, str] = dict(unread)
    for foreign, wanted in overrides.items():
        if foreign in unread:
            if wanted:
                raise InputError(f"{shown(foreign)} cannot be mapped: {unread[foreign]}; mend the log")
            unmapped[foreign] = "left out"
        elif foreign not in known:
            raise UnknownNameError("series", foreign, known)
        if wanted and check_signal(wanted) in (other for name, other in overrides.items() if name != foreign):
            raise UsageError(f"two series are mapped to {wanted}; keep one")
    for one in sorted(series, key=lambda one: (one.name not in overrides, -len(one.steps))):
        asked = one.name in overrides
        signal = overrides[one.name] or None if asked else guess(one.name, one.finite())
        if signal is None:
            unmapped[one.name] = "left out" if asked else "not understood"
        elif signal not in taken:
            taken[signal] = one
        elif taken[signal].run != one.run and taken[signal].tag == one.tag:
            runs = ", ".join(sorted(shown(each.run or ".") for each in series if each.tag == one.tag))
            raise InputError(f"several runs are here: {runs} each have {shown(one.tag)}; name one of them")
        else:
            unmapped[one.name] = f"{signal} is taken from {taken[signal].name}"
    order = {name: place for place, name in enumerate(SIGNALS)}
    return Mapped(
        {name: taken[name] for name in sorted(taken, key=lambda name: (order.get(name.partition("@")[0], 99), name))},
        dict(sorted(unmapped.items())),
    )


def _own_name(name: str) -> str | None:
    """The signal where the name is gandiag's own, as its sinks write it."""
    if "gandiag/" in name:
        player, _, signal = name.partition("gandiag/")[2].rpartition("/")
        if signal in SIGNALS or signal.startswith(QUALITY):
            return f"{signal}@{player}" if player else signal
    if name.partition("@")[0] in SIGNALS or name.startswith(QUALITY):
        return name
    last = name.rpartition("/")[2]
    return last if last in SIGNALS and not VETOES.intersection(_words(name)) else None


def _words(name: str) -> list[str]:
    parts = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", name)
    return " ".join(FUSED.get(part.lower(), part.lower()) for part in parts).split()


def _signal(words: list[str], values: Sequence[float]) -> str | None:
    players = {"generator" for word in words if word in GENERATOR}
    players |= {"discriminator" for word in words if word in DISCRIMINATOR}
    sides = {SIDES[word] for word in words if word in SIDES}
    rest = [word for word in words if word not in GENERATOR | DISCRIMINATOR | FILLERS | SIDES.keys()]
    suffix = ""
    if rest and words[-1] == rest[-1] and re.fullmatch(r"[a-z]", rest[-1]):
        suffix = f"@{rest.pop().upper()}"  # as in loss_G_A
    quantity = set(rest)
    if len(players) > 1 or len(sides) > 1:
        return None
    if sides and players <= {"discriminator"}:
        side = sides.pop()
        if quantity <= CONFIDENCES and quantity:
            return f"{side}_confidence{suffix}"
        if quantity <= SCORES and quantity:
            return f"{side}_{_kind_of_output(values)}{suffix}"
        return None
    if not sides and quantity in ({"auc"}, {"auroc"}) and players <= {"discriminator"}:
        return f"auc{suffix}"
    if sides or not players:
        return None
    player = players.pop()
    if quantity and quantity <= LOSSES:
        return f"{player}_loss{suffix}"
    if quantity & GRADIENTS and quantity - GRADIENTS in ({"norm"}, {"norm", "max"}, {"max"}):
        return f"{player}_gradient_norm{'_max' if 'max' in quantity else ''}{suffix}"
    if quantity in ({"lr"}, {"learning", "rate"}):
        return f"{player}_learning_rate{suffix}"
    if quantity in ({"steps"}, {"updates"}):
        return f"{player}_steps{suffix}"
    if quantity == {"update", "ratio"}:
        return f"{player}_update_ratio{suffix}"
    return None


def _kind_of_output(values: Sequence[float]) -> str:
    """A probability where all values are from 0 to 1, else a raw output."""
    return "confidence" if values and all(0 <= value <= 1 for value in values) else "score"
