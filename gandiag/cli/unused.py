"""Options that would go unused: what says how to score is refused where nothing is scored."""

from __future__ import annotations

from collections.abc import Collection

import click
from click.core import ParameterSource

from gandiag.cli.options import scoring_options

WHERE = {"device", "batch_size", "cache", "no_cache", "data_root", "download"}  # the work is done, not what is measured


def scoring_names() -> set[str]:
    """The parameters that `scoring_options` gives a command, and that decide what is measured."""
    return {str(each.name) for each in click.command("any")(scoring_options(lambda **_: None)).params} - WHERE


def given_options(names: Collection[str]) -> list[str]:
    """Those of the current command's options that stand on its command line, as they are called there."""
    context = click.get_current_context()
    return [
        max(each.opts, key=len)
        for each in context.command.params
        if each.name in names and context.get_parameter_source(str(each.name)) is ParameterSource.COMMANDLINE
    ]


def refuse_given(names: Collection[str], why: str) -> None:
    """Refuse those of the current command's options that are given.

    Raises:
        UsageError: there are some; `why` says why they go unused, and what to do.
    """
    given = given_options(names)
    if given:
        raise click.UsageError(
            f"{' and '.join(given)} {'say' if len(given) > 1 else 'says'} how to score samples, and {why}"
        )
