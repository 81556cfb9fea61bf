"""Tables of text: a header row, a column of steps, one column a signal; commas, semicolons, tabs, bars or spaces."""

from __future__ import annotations

import csv
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from gandiag.core.errors import InputError, shown
from gandiag.monitor.importers.series import RESUMPTIONS, Log, Series, begins_anew, goings_back, undone_note

DELIMITERS = ",;\t|"
STEPS = (
    "step",
    "global_step",
    "trainer/global_step",
    "steps",
    "iteration",
    "iterations",
    "iter",
    "it",
    "n_iter",
    "batch",
)
WITHIN_EPOCH = frozenset({"batch", "iter", "it"})  # names that often count within an epoch
EPOCHS = ("epoch", "epochs")
TIMES = ("time", "wall time", "wall_time", "timestamp", "_timestamp", "elapsed", "elapsed_time", "relative time")
RANGES = ("__MIN", "__MAX")  # what an export of Weights & Biases adds to each column
NOT_MEASURED = frozenset({"", "none", "null", "na", "n/a", "-"})
LONGEST_LINE = 1 << 20
MOST_BYTES = 256 << 20
Column = Sequence[float | None]
Columns = dict[str, list[float | None]]


def read_csv(path: str | os.PathLike[str]) -> Log:
    """The columns of numbers of a table; a note says what was taken for the step, and what a resumption undid.

    Raises:
        InputError: it cannot be read, has no header, no numbers or rows of unequal length.
    """
    path = Path(path)
    try:
        header, rows = _table(path)
    except OSError as error:
        raise InputError(f"cannot read {shown(path)}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)} is no table: it is not UTF-8") from error
    except csv.Error as error:
        raise InputError(f"{shown(path)} is no table: {error}") from error
    columns, unread = _numbers(header, rows)
    step, talk = _steps(columns, len(rows))
    time = next((name for name in columns if name.strip().lower() in TIMES), None)
    times = columns[time] if time else None
    series = Log(unread=unread)
    for name, column in columns.items():
        if name in (time, step) or name.strip().lower() in STEPS + EPOCHS:
            continue
        one = Series(name)
        for row, value in enumerate(column):
            at = row + 1 if step is None else columns[step][row]
            if value is None or at is None:
                continue
            now = times[row] if times else None
            one.add(int(at), value, now if now is not None and math.isfinite(now) else None)
        if len(one.times) != len(one.steps):
            one.times = []
        if one.steps:
            series.append(one)
    if not series:
        first = next((f" ({shown(name)}, {why})" for name, why in unread.items()), "")
        what = f"{shown(path)} has no columns of numbers beside its steps{first}"
        raise InputError(f"{what}; expected losses or other signals")
    undone = undone_note(series)
    series.notes = (f"{talk}; {undone}" if undone else talk,)
    return series


def _table(path: Path) -> tuple[list[str], list[list[str]]]:
    if path.stat().st_size > MOST_BYTES:
        raise InputError(f"{shown(path)} is larger than the {MOST_BYTES:,} bytes that are read of a table")
    if not path.is_file():
        raise InputError(f"{shown(path)} is no regular file; expected a table")
    lines = _lines(path)
    first = next(lines, "")
    if "\0" in first or not first.strip():
        raise InputError(f"{shown(path)} is no table: its first line is no header row")
    delimiter = max(DELIMITERS, key=first.count)
    table = _cells(itertools.chain([first], lines), delimiter if delimiter in first else None)
    header = [name.strip() for name in next(table)]
    if header[0].startswith("#"):
        header = header[1:] if header[0] == "#" else [header[0][1:].strip(), *header[1:]]
    if any(_number(name, delimiter) is not None for name in header if name):
        raise InputError(f"{shown(path)} has no header row: its first line has numbers; name the columns there")
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise InputError(f"{shown(path)} has two columns called {shown(twice)}; rename one")
    rows = [row for row in table if any(cell.strip() for cell in row) and [cell.strip() for cell in row] != header]
    short = bool(rows) and len(rows[-1]) < len(header)
    if short:
        rows.pop()  # a kill cut it short
    for number, row in enumerate(rows, 2):
        if len(row) != len(header):
            raise InputError(f"{shown(path)}, row {number}: {len(row)} cells, and {len(header)} in the header row")
    if delimiter == ";":
        rows = [[cell.replace(",", ".") for cell in row] for row in rows]
    if rows and not short and _number(rows[-1][-1]) is None:
        rows[-1][-1] = ""  # a kill cut it short
    return header, rows


def _cells(lines: Iterable[str], delimiter: str | None) -> Iterator[list[str]]:
    if delimiter is None:
        return (line.split() for line in lines)
    return csv.reader(lines, delimiter=delimiter, skipinitialspace=True)


def _lines(path: Path) -> Iterator[str]:
    with path.open("rb") as file:
        encoding = "utf-8-sig"
        while line := file.readline(LONGEST_LINE + 1):
            if len(line) > LONGEST_LINE:
                raise InputError(f"{shown(path)} is no table: a line is longer than {LONGEST_LINE:,} bytes")
            yield line.decode(encoding)
            encoding = "utf-8"


def _numbers(header: Sequence[str], rows: Sequence[Sequence[str]]) -> tuple[Columns, dict[str, str]]:
    """The columns that hold numbers alone, and of each other one where it does not."""
    columns: Columns = {}
    unread: dict[str, str] = {}
    for place, name in enumerate(header):
        if name.endswith(RANGES):
            continue
        name = name or f"column {place + 1}"
        column: list[float | None] = []
        for number, row in enumerate(rows, 2):
            value = _number(row[place])
            if value is None and not _not_measured(row[place]):
                unread[name] = f"row {number}: {shown(row[place].strip())} is no number"
                break
            column.append(value)
        else:
            columns[name] = column
    return columns, unread


def _not_measured(cell: str) -> bool:
    return cell.strip().lower() in NOT_MEASURED


def _number(cell: str, delimiter: str = "") -> float | None:
    if not re.fullmatch(r"\s*[+-]?(\d+(_\d+)*(\.\d*)?(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|nan|inf(inity)?)\s*", cell, re.I):
        return None
    return float(cell)


def _steps(columns: Columns, rows: int) -> tuple[str | None, str]:
    """The column of steps, by its name and its values."""
    low = {name.strip().lower(): name for name in columns}
    epochs = [columns[low[name]] for name in EPOCHS if name in low]
    for name in STEPS:
        if name in low and _counts(columns[low[name]]) and not _within_epochs(name, columns[low[name]], epochs):
            return low[name], f"steps from the column {shown(low[name])}"
    for name in EPOCHS:
        if name in low and _counts(columns[low[name]]) and len(set(columns[low[name]])) == rows:
            talk = f"steps from the column {shown(low[name])}: rules count updates, and see little in so few"
            return low[name], f"{talk}; log a column of steps"
    return None, "no column of steps: rows are counted"


def _counts(column: Column) -> bool:
    known = [value for value in column if value is not None]
    whole = all(math.isfinite(value) and 0 <= value < 1 << 53 and value == int(value) for value in known)
    return bool(known) and whole and len(goings_back(known)) <= RESUMPTIONS and len(known) >= len(column) / 2


def _within_epochs(name: str, column: Column, epochs: Iterable[Column]) -> bool:
    """Whether steps begin anew in each epoch, by their own values or by an epoch that goes on where they go back."""
    if begins_anew([step for step in column if step is not None], returns=1 if name in WITHIN_EPOCH else 2):
        return True
    for epoch in epochs:
        known = [(step, e) for step, e in zip(column, epoch, strict=True) if step is not None and e is not None]
        if any(later[0] < earlier[0] and later[1] > earlier[1] for earlier, later in itertools.pairwise(known)):
            return True
    return False
