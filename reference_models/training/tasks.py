"""The task of a recipe, made ready for a run."""

from __future__ import annotations

import inspect

from gandiag import UnknownNameError, UsageError
from reference_models import catalogue
from reference_models.recipe import Recipe
from reference_models.tasks._task import Task


def make_task(recipe: Recipe) -> Task:
    """The task as the recipe sets it.

    Raises:
        UnknownNameError: there is no such task, or it has no such key.
        UsageError: a value is of the wrong kind or range, or the recipe has no task.
    """
    if recipe.task is None:
        raise UsageError(f"recipe {recipe.name} has no task: its generator takes noise")
    kind = catalogue.part("tasks", "task", recipe.task.name).TASK
    known = inspect.signature(kind).parameters
    for key in recipe.task.config:
        if key not in known:
            raise UnknownNameError(f"key of task {recipe.task.name}:", key, [*known, "name"])
    try:
        task: Task = kind(**recipe.task.config)
    except (TypeError, ValueError) as error:
        raise UsageError(f"task {recipe.task.name}: {error}; correct its table") from error
    return task
