"""Which of several arrays in a file holds the samples."""

from __future__ import annotations

from collections.abc import Sequence

from gandiag.core.errors import InputError, shown, suggestion
from gandiag.sources.formats import File

MOST_SHOWN = 12


def choose(file: File, names: Sequence[str], *, preferred: Sequence[str], others: Sequence[str] = ()) -> str:
    """The name that `FILE:KEY` gives, the only one there is, or the first of those preferred.

    Args:
        file: as it was named.
        names: what it holds.
        preferred: usual names of samples, the likeliest first.
        others: usual names of what stands beside them, such as labels.

    Raises:
        InputError: there is none of the name, or nothing tells which is meant.
    """
    listed = ", ".join(map(shown, names[:MOST_SHOWN])) + (
        f" and {len(names) - MOST_SHOWN} more" if len(names) > MOST_SHOWN else ""
    )
    if file.key is not None:
        if file.key not in names:
            hint = suggestion(file.key, list(names))
            raise InputError(f"{shown(file.title)} holds no {shown(file.key)}{hint}; it holds {listed or 'nothing'}")
        return file.key
    candidates = [name for name in names if name not in others]
    if len(candidates) == 1:
        return candidates[0]
    for name in preferred:
        if name in names:
            return name
    message = f"{shown(file.title)} holds {listed or 'nothing'}, expected one array, or {preferred[0]}"
    raise InputError(f"{message}; choose one as {file.title}:NAME" if names else message)
