"""Which players play with each other, and what each pair's detectors see of a record.

A signal of one of several players has the player's name behind an `@`. One generator against several discriminators
makes a pair of each discriminator with that generator, and the other way round. Of several on both sides, those of
one name make a pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from gandiag.core.signals import QUALITY, Record, player_of

ALONE = ""  # the name of a player that has none


@dataclass(frozen=True)
class Pair:
    """A generator and a discriminator that play with each other.

    Attributes:
        label: tells them from other pairs.
        generator: its name.
        discriminator: its name.
        judged: names whose quality this pair looks at. A quality is of one generator, and one pair alone tells it.
    """

    label: str
    generator: str
    discriminator: str
    judged: frozenset[str] = frozenset()

    def view(self, record: Record) -> tuple[Record, dict[str, str]]:
        """The pair's signals without the players' names, and each one's name in the record."""
        if not (self.generator or self.discriminator):
            return record, {}
        names: dict[str, str] = {}
        for player in (ALONE, self.discriminator, self.generator):
            for name in record.signals:
                plain = plain_name(name)
                if (player_of(name) or ALONE) == player and self._looks_at(plain, player):
                    names[plain] = name
        signals = {plain: record.signals[name] for plain, name in names.items()}
        return Record(record.step, record.time, signals), names

    def _looks_at(self, plain: str, player: str) -> bool:
        if plain.startswith(QUALITY):
            return player in self.judged
        if plain.startswith("generator_"):
            return player == self.generator
        return player == self.discriminator if plain.startswith("discriminator_") else True


def plain_name(signal: str) -> str:
    """The signal's name without the player's."""
    return signal.partition("@")[0]


def pairs(signals: Iterable[str]) -> list[Pair]:
    """The pairs of a run, from the names of all signals that it has logged."""
    found, told = [], set[str]()
    for pair in _pairs(signals):
        judged = {ALONE, pair.generator, pair.discriminator} - told
        told |= judged
        found.append(replace(pair, judged=frozenset(judged)))
    return found


def _pairs(signals: Iterable[str]) -> list[Pair]:
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
