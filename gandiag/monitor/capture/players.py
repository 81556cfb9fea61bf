"""The networks that play, the optimizers that update them, and how many steps each has made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from torch import nn
from torch.optim import Optimizer

from gandiag.core.errors import UsageError, shown

Kind = Literal["generator", "discriminator"]
KINDS: tuple[Kind, Kind] = ("generator", "discriminator")
OPTION: dict[Kind, str] = {"generator": "g_optimizer", "discriminator": "d_optimizer"}


@dataclass(eq=False)
class Player:
    """A network that is trained.

    Attributes:
        kind: `generator` or `discriminator`.
        name: where there are several of its kind.
        network: or None, where only numbers of it are handed over.
        optimizers: those that update a parameter of it.
        steps: that its optimizers have made.
    """

    kind: Kind
    name: str | None
    network: nn.Module | None
    optimizers: list[Optimizer] = field(default_factory=list)
    steps: int = 0

    @property
    def key(self) -> str:
        """`generator`, or `generator@NAME`."""
        return self.signal(self.kind)

    def signal(self, name: str) -> str:
        """A signal's name for this player."""
        return f"{name}@{self.name}" if self.name else name

    @property
    def main_optimizer(self) -> Optimizer | None:
        """The one that updates most of its parameters; the player's steps are its steps."""
        return max(self.optimizers, key=lambda each: len(self.trained(each)), default=None)

    def trained(self, optimizer: Optimizer) -> list[nn.Parameter]:
        """Its parameters that the optimizer updates."""
        if self.network is None:
            return []
        own = {id(parameter) for parameter in self.network.parameters()}
        return [each for group in optimizer.param_groups for each in group["params"] if id(each) in own]


def find_players(generator: Any, discriminator: Any, g_optimizer: Any, d_optimizer: Any) -> list[Player]:
    """The players, each with the optimizers that hold parameters of it, whichever option they were given as.

    Raises:
        UsageError: an argument is of the wrong type, or an optimizer and the networks have nothing in common.
    """
    networks = {"generator": generator, "discriminator": discriminator}
    optimizers = {"generator": g_optimizer, "discriminator": d_optimizer}
    players = [player for kind in KINDS for player in _networks(kind, networks[kind])]
    given = {kind: _optimizers(kind, optimizers[kind]) for kind in KINDS}
    for optimizer in {id(each): each for listed in given.values() for each in listed}.values():
        owners = [player for player in players if player.trained(optimizer)]
        for player in owners:
            player.optimizers.append(optimizer)
        if not owners:
            kind = next(kind for kind in KINDS if any(each is optimizer for each in given[kind]))
            raise UsageError(_foreign(kind, f"the {kind} or any other watched network"))
    for player in players:
        if given[player.kind] and player.network is not None and not player.optimizers:
            raise UsageError(_foreign(player.kind, f"the {player.key}"))
    return players


def _foreign(kind: Kind, network: str) -> str:
    return (
        f"{OPTION[kind]} updates no parameter of {network}; was it built on another copy of the network? "
        "build the optimizer from the parameters of the network that is watched"
    )


def _networks(kind: Kind, given: Any) -> list[Player]:
    named: Mapping[Any, Any] = given if isinstance(given, Mapping) else {None: given}
    if not named:
        raise UsageError(f"the {kind}s are an empty dict; expected a network, or names with networks")
    for name, network in named.items():
        if network is not None and not isinstance(network, nn.Module):
            raise UsageError(f"the {kind} is {shown(type(network).__name__)}, expected a torch.nn.Module")
        if name is not None and not (isinstance(name, str) and name.isidentifier()):
            raise UsageError(f"a {kind} is called {shown(name)}; expected letters, digits and _")
    return [Player(kind, name, network) for name, network in named.items()]


def _optimizers(kind: Kind, given: Any) -> list[Optimizer]:
    if given is None:
        return []
    if isinstance(given, Mapping):
        each = list(given.values())
    else:
        each = list(given) if isinstance(given, Sequence) else [given]
    return [_unwrapped(kind, optimizer) for optimizer in each]


def _unwrapped(kind: Kind, optimizer: Any) -> Optimizer:
    """What Lightning, accelerate and their like have put a wrapper around."""
    for _ in range(8):
        inner = getattr(optimizer, "optimizer", None)
        if not isinstance(inner, Optimizer) or inner is optimizer:
            break
        optimizer = inner
    if not isinstance(optimizer, Optimizer):
        raise UsageError(f"{OPTION[kind]} is {shown(type(optimizer).__name__)}, expected a torch.optim.Optimizer")
    return optimizer
