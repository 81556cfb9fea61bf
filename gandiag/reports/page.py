"""The shell of every report: one HTML file with its style and script inside, and nothing else to load."""

from __future__ import annotations

import datetime
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from gandiag._version import __version__
from gandiag.core.files import atomic_write


@dataclass(frozen=True)
class Section:
    """A part of the page: `name` is its anchor, `body` safe HTML."""

    name: str
    title: str
    body: Markup


def render(template: str, **values: object) -> Markup:
    """A template of this package with its values; every value that is not Markup is escaped."""
    return Markup(_environment().get_template(template).render(values))


def write_page(path: str | os.PathLike[str], title: str, sections: Sequence[Section], *, subtitle: str = "") -> None:
    """Write the whole page, or nothing.

    Raises:
        InputError: the file cannot be written.
    """
    text = render(
        "page.html",
        title=title,
        subtitle=subtitle,
        sections=sections,
        version=__version__,
        created=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M UTC"),
        style=Markup(_read("style.css")),
        script=Markup(_read("script.js")),
    )
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8", errors="replace")


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(_read),
    )
    environment.filters["quoted"] = shlex.quote  # for commands that a reader copies
    return environment


def _read(name: str) -> str:
    return resources.files("gandiag.reports").joinpath("templates", name).read_text(encoding="utf-8")
