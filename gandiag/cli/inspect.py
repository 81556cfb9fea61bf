"""`gandiag inspect`: what a file is, told without running anything in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from gandiag.cli.options import debug_option
from gandiag.core.errors import printable

if TYPE_CHECKING:
    from gandiag.sources.inspection.inspection import Inspection

ROWS = 12  # tensors that are listed, unless all are asked for


@click.command("inspect")
@click.argument("file")
@click.option("--all", "everything", is_flag=True, help="List every tensor and every name.")
@click.option("--json", "json_path", metavar="FILE", help="Write all of it there; - for stdout, and nothing else.")
@debug_option
def inspect_command(file: str, everything: bool, json_path: str | None) -> None:
    """Tell what FILE is: format, keys, shapes, weights, latent, and how to score it. Nothing in it is run.

    \b
    gandiag inspect checkpoint.pth
    gandiag inspect stranger.pkl --json -
    """  # noqa: D301 - click reads the \b
    from gandiag.core.files import atomic_write
    from gandiag.sources.inspection.file import inspect_file

    found = inspect_file(file)
    if json_path == "-":
        click.echo(found.to_json(), nl=False)
        return
    for line in _lines(found, ROWS if not everything else None):
        click.echo(printable(line))
    if json_path is not None:
        with atomic_write(json_path) as temporary:
            temporary.write_text(found.to_json(), encoding="utf-8")
        click.echo(f"wrote {json_path}", err=True)


def _lines(found: Inspection, rows: int | None) -> list[str]:
    lines = [found.path, f"  format      {found.format}, {found.size:,} bytes"]
    if found.tensors:
        lines.append(f"  tensors     {len(found.tensors)}, {found.parameters:,} numbers")
    for title, values in (("input", found.inputs), ("output", found.outputs)):
        lines += [f"  {title:<11} {_value(each)}" for each in values]
    for title, sizes in (("latent", found.latent), ("image", found.image)):
        lines += [f"  {title:<11} {_sizes(sizes)}"] if sizes else []
    lines += [f"  range       {found.image_range[0]:g} to {found.image_range[1]:g}"] if found.image_range else []
    lines += [_group_line(group, found.taken) for group in found.groups[:rows]]
    lines += [
        f"  {'runs' if name in found.runs else 'names':<11} {name}" for name in (*found.runs, *found.imports)[:rows]
    ]
    lines += [f"  value       {key}: {_short(value)}" for key, value in list(found.values.items())[:rows]]
    lines += [
        f"  tensor      {name} {tensor.dtype} {_sizes(tensor.shape)}"
        for name, tensor in list(found.tensors.items())[:rows]
    ]
    left = 0 if rows is None else len(found.tensors) - rows
    lines += [f"              and {left} more: see --all"] if left > 0 else []
    lines += [f"  note        {note}" for note in found.notes]
    return [*lines, f"  score it    {found.command}"] if found.command else lines


def _group_line(group: Any, taken: str | None) -> str:
    name = group["name"] or "(the file itself)"
    mark = ", would be taken" if group["name"] == taken else ""
    return f"  weights     {name}: {group['seems']}, {group['tensors']} tensors, {group['parameters']:,} numbers{mark}"


def _value(value: Any) -> str:
    """What a network takes or gives: its name, its type or range, and its shape."""
    limits = value.get("range")
    words = [value["name"], value.get("type"), _sizes(value["shape"]), limits and f"{limits[0]:g} to {limits[1]:g}"]
    return " ".join(word for word in words if word)


def _sizes(sizes: Any) -> str:
    return "x".join("?" if size is None else str(size) for size in sizes) if sizes else "scalar"


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 100 else f"{text[:99]}…"
