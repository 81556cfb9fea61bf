"""Thresholds of the detectors: from a mapping or a TOML file, checked by name, type and range."""

from __future__ import annotations

import dataclasses
import math
import os
import sys
import typing
from collections.abc import Mapping
from typing import Any

from gandiag.core.errors import InputError, UnknownNameError, UsageError, shown
from gandiag.core.files import read_bounded
from gandiag.core.toml import MOST_BYTES, parse_toml
from gandiag.monitor.detectors import DETECTORS

Thresholds = Mapping[str, Mapping[str, Any] | bool]


def settled(thresholds: Thresholds | None = None) -> dict[str, Any]:
    """Each detector's thresholds, by kind; a kind that is silenced is not there.

    Args:
        thresholds: kind to field to value, in place of a detector's defaults; `{kind: False}` leaves one out.

    Raises:
        UnknownNameError: no such detector, or it has no such threshold.
        UsageError: a value is of the wrong kind or range.
    """
    if thresholds is not None and not isinstance(thresholds, Mapping):
        raise UsageError(f"thresholds {shown(thresholds)} are no mapping; expected kind to field to value")
    asked: dict[str, Mapping[str, Any] | bool] = {}
    for name, values in (thresholds or {}).items():
        kind = DETECTORS.resolve(str(name))
        if kind in asked:
            raise UsageError(f"thresholds name {kind} twice; keep one")
        asked[kind] = values
    result = {}
    for kind in DETECTORS.names():
        values = asked.get(kind, True)
        if values is False:
            continue
        if values is not True and not isinstance(values, Mapping):
            raise UsageError(f"thresholds of {kind} are {shown(values)}; expected fields and values, or false")
        result[kind] = _made(kind, DETECTORS.load(kind).thresholds, {} if values is True else values)
    return result


def as_mapping(thresholds: Thresholds | str | os.PathLike[str] | None) -> Thresholds | None:
    """Thresholds as they were given, or the content of a TOML file that was."""
    return read_thresholds(thresholds) if isinstance(thresholds, str | os.PathLike) else thresholds


def read_thresholds(path: str | os.PathLike[str]) -> dict[str, dict[str, Any] | bool]:
    """The thresholds in a TOML file: `[mode_collapse]` tables of fields, or `mode_collapse = false`.

    Raises:
        InputError: the file cannot be read, is no TOML, or sets nothing.
        UnknownNameError: no such detector, or it has no such threshold.
        UsageError: a value is of the wrong kind or range.
    """
    try:
        values: dict[str, dict[str, Any] | bool] = parse_toml(read_bounded(path, MOST_BYTES).decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"thresholds file {shown(path)} cannot be read: {reason}") from error
    except ValueError as error:
        raise InputError(f"thresholds file {shown(path)} is no TOML: {error}") from error
    if not values:
        raise InputError(f"thresholds file {shown(path)} sets nothing; leave it out, or name a detector in it")
    try:
        settled(values)
    except UsageError as error:
        # The same error, with the file in front; the class carries what the caller may want to catch.
        error.args = (f"thresholds file {shown(path)}: {error}",)
        raise
    return values


def _made(kind: str, thresholds: type[Any], values: Mapping[str, Any]) -> Any:
    fields = {field.name: field for field in dataclasses.fields(thresholds)}
    types = typing.get_type_hints(thresholds)
    for name, value in values.items():
        if name not in fields:
            raise UnknownNameError(f"threshold of {kind}", str(name), fields)
        _check(f"{kind}.{name}", types[name], fields[name], value)
    return thresholds(**{name: float(v) if types[name] is float else v for name, v in values.items()})


def _check(name: str, expected: Any, field: dataclasses.Field[Any], value: object) -> None:
    if type(value) is int and abs(value) > sys.float_info.max:
        raise UsageError(f"threshold {name} is a whole number beyond 1e308, expected a number that a float holds")
    if expected is float:
        fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    else:
        fits = type(value) is expected
    if not fits:
        kinds = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
        raise UsageError(f"threshold {name} is {shown(value)}, expected {kinds.get(expected, expected)}")
    low, high = field.metadata.get("low", -math.inf), field.metadata.get("high", math.inf)
    if isinstance(value, int | float) and not low <= value <= high:
        raise UsageError(f"threshold {name} is {shown(value)}, expected {_range(low, high)}")


def _range(low: float, high: float) -> str:
    return f"{low:g} or more" if math.isinf(high) else f"{low:g} to {high:g}"
