"""Which players play with each other, and what each pair's detectors see of a record.

A signal of one of several players has the player's name behind an `@`. One generator against several discriminators
makes a pair of each discriminator with that generator, and the other way round. Of several on both sides, those of
one name make a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gandiag.core.signals import Record, player_of

ALONE = ""  # the name of a player that has none


@dataclass(frozen=True)
class Pair:
    """A generator and a discriminator that play with each other; `label` tells them from other pairs."""

    label: str
    generator: str
    discriminator: str

    def view(self, record: Record) -> tuple[Record, dict[str, str]]:
        """The pair's signals without the players' names, and each one's name in the record."""
        if not (self.generator or self.discriminator):
            return record, {}
        names: dict[str, str] = {}
        for player in (ALONE, self.discriminator, self.generator):
            for name in record.signals:
                plain = plain_name(name)
                if (player_of(name) or ALONE) == player and self._side(plain) in (None, player):
                    names[plain] = name
        signals = {plain: record.signals[name] for plain, name in names.items()}
        return Record(record.step, record.time, signals), names

    def _side(self, plain: str) -> str | None:
        if plain.startswith("generator_"):
            return self.generator
        return self.discriminator if plain.startswith("discriminator_") else None


def plain_name(signal: str) -> str:
    """The signal's name without the player's."""
    return signal.partition("@")[0]


def pairs(signals: Iterable[str]) -> list[Pair]:
    """The pairs of a run, from the names of all signals that it has logged."""
    generators, discriminators, others = set(), set(), set()
    for name in signals:
        plain, player = plain_name(name), player_of(name) or ALONE
        if plain.startswith("generator_"):
            generators.add(player)
        elif plain.startswith("discriminator_"):
            discriminators.add(player)
        elif player:
            others.add(player)
    discriminators |= others - generators - discriminators
    if len(generators) <= 1 or len(discriminators) <= 1:
        one, other = next(iter(generators), ALONE), next(iter(discriminators), ALONE)
        if len(generators) > 1:
            return [Pair(name, name, other) for name in sorted(generators)]
        if len(discriminators) > 1:
            return [Pair(name, one, name) for name in sorted(discriminators)]
        return [Pair(other or one, one, other)]
    return [
        Pair(name, name if name in generators else ALONE, name if name in discriminators else ALONE)
        for name in sorted(generators | discriminators)
    ]


def renamed(evidence: Mapping[str, float], names: Mapping[str, str]) -> dict[str, float]:
    """Evidence under the names that the record has for its signals."""
    return {names.get(name, name): value for name, value in evidence.items()}
