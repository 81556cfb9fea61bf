"""Techniques of a recipe, made ready for a run."""

from __future__ import annotations

import inspect
from collections.abc import Mapping

from torch import nn

from gandiag import UnknownNameError, UsageError
from reference_models import catalogue
from reference_models.recipe import Recipe
from reference_models.techniques._technique import Setting, Technique


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
        except TypeError as error:
            raise UsageError(f"technique {choice.name}: {error}; correct its table") from error
        made[choice.name].begin(setting)
    return made


def alter_generator(techniques: Mapping[str, Technique], network: nn.Module) -> None:
    """Let each technique change the new network."""
    for technique in techniques.values():
        technique.alter_generator(network)


def alter_discriminator(techniques: Mapping[str, Technique], network: nn.Module) -> None:
    """Let each technique change the new network; those that change every layer come after those that add some."""
    for technique in sorted(techniques.values(), key=lambda each: each.last):
        technique.alter_discriminator(network)
