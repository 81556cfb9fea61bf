"""`dataset.json` beside images: their classes, as StyleGAN's tools write them, and what `gandiag sample` says."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gandiag.core.errors import InputError, shown
from gandiag.core.strict_json import parse_json

NAME = "dataset.json"
OWN = "gandiag"  # the key, or the array of an `.npz`, in which gandiag says what it wrote
FORMAT = "gandiag.samples/1"


@dataclass(frozen=True)
class LabelsFile:
    """What such a file says.

    Attributes:
        classes: of each image; None where it says none.
        in_order: whether the order of the names carries no information already, since gandiag wrote them as they were
            drawn: they are then the very samples, one by one, of the source that they come from.
    """

    classes: Sequence[int] | None = None
    in_order: bool = False


def read_labels(content: bytes, names: Sequence[str], title: str) -> LabelsFile:
    """What a `dataset.json`, `{"labels": [[NAME, CLASS], ...] | null}`, says of images of these names.

    Raises:
        InputError: it is damaged, or says nothing of some of the images.
    """
    try:
        said = parse_json(content)
        pairs = said.get("labels") if isinstance(said, dict) else None
        known: dict[str, Any] = dict(pairs) if pairs else {}
    except (TypeError, ValueError) as error:
        raise InputError(f"{shown(title)} is no list of names and classes; repair or remove it") from error
    in_order = isinstance(said, dict) and says_drawn(said.get(OWN), len(names))
    if not known:
        return LabelsFile(None, in_order)
    missing = next((name for name in names if type(known.get(name)) is not int), None)
    if missing is not None:
        raise InputError(f"{shown(title)} gives no class of {shown(missing)}; complete or remove it")
    return LabelsFile([known[name] for name in names], in_order)


def written_labels(pairs: Sequence[tuple[str, int]], said: Mapping[str, Any]) -> bytes:
    """The file of names and classes, if there are any, and of what gandiag says of them."""
    return json.dumps({"labels": list(pairs) or None, OWN: dict(said)}, allow_nan=False).encode()


def says_drawn(said: object, count: int) -> bool:
    """Whether gandiag wrote these samples, and all of them are there."""
    return isinstance(said, dict) and said.get("format") == FORMAT and said.get("samples") == count
