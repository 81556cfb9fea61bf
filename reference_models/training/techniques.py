"""Techniques of a recipe, made ready for a run."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import replace

from torch import nn

from gandiag import UnknownNameError, UsageError
from reference_models import catalogue
from reference_models.recipe import Recipe
from reference_models.techniques._technique import Setting, Technique, featured


def make_techniques(recipe: Recipe, setting: Setting) -> dict[str, Technique]:
    """The techniques as the recipe sets them, in its order.

    Raises:
        UnknownNameError: there is no such technique, or it has no such key.
        UsageError: a value is of the wrong kind or range, or the technique makes no sense in this recipe.
    """
    made: dict[str, Technique] = {}
    for choice in recipe.techniques:
        kind = catalogue.part("techniques", "technique", choice.name).TECHNIQUE
        known = inspect.signature(kind).parameters
        for key in choice.config:
            if key not in known:
                raise UnknownNameError(f"key of technique {choice.name}:", key, [*known, "enabled"])
        try:
            made[choice.name] = kind(**choice.config)
        except (TypeError, ValueError) as error:
            raise UsageError(f"technique {choice.name}: {error}; correct its table") from error
    told = replace(setting, judged=judged_of(setting.batch_size, made.values()))
    for technique in made.values():
        technique.begin(told)
    return made


def judged_of(count: int, techniques: Iterable[Technique]) -> int:
    """How many samples, or packs of them, the discriminator sees of so many samples."""
    for technique in techniques:
        count = technique.discriminator_batch(count)
    return count


def paced(recipe: Recipe) -> tuple[str, ...]:
    """The techniques of a recipe that depend on the number of steps.

    Raises:
        UnknownNameError: there is no such technique.
    """
    names = [choice.name for choice in recipe.techniques]
    return tuple(name for name in names if catalogue.part("techniques", "technique", name).TECHNIQUE.paced)


def alter_generator(techniques: Mapping[str, Technique], network: nn.Module) -> None:
    """Let each technique change the new network."""
    for technique in techniques.values():
        technique.alter_generator(network)


def alter_discriminator(techniques: Mapping[str, Technique], network: nn.Module) -> None:
    """Let each technique change the new network; those that change every layer come after those that add some.

    Raises:
        UsageError: a technique looks at its features, and it has none.
    """
    for name, technique in sorted(techniques.items(), key=lambda item: item[1].last):
        if technique.needs_features:
            featured(name, network)
        technique.alter_discriminator(network)
