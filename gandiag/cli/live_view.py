"""One frame of `gandiag live`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gandiag.cli.diagnosis_view import COLOURS
from gandiag.cli.output import duration
from gandiag.cli.sparkline import BLOCKS, PLAIN, sparkline
from gandiag.core.alert import SEVERITIES, Alert
from gandiag.core.errors import printable
from gandiag.core.run_log import FILE_NAME, RunLog, last_good_step
from gandiag.core.signals import QUALITY, Record, player_of

WIDE = 110  # columns from which two panels stand side by side anyhow
NARROW = 72  # columns below which they never do
QUIET = 60.0  # seconds without a new line that are worth saying
LONGEST_NAME = 24
RECENT = 20  # records that tell the rate
UNIT = (0.0, 1.0)


@dataclass(frozen=True)
class Row:
    """A signal in a panel: its label, and the limits and scale of its line."""

    signal: str
    label: str
    limits: tuple[float, float] | None = None
    logarithmic: bool = False


@dataclass(frozen=True)
class Section:
    """A panel's title, colour and rows."""

    title: str
    colour: str
    rows: tuple[Row, ...]


GRADIENTS = Section(
    "gradient norms",
    "blue",
    (
        Row("generator_gradient_norm", "generator", logarithmic=True),
        Row("discriminator_gradient_norm", "discriminator", logarithmic=True),
    ),
)
LOSSES = Section("losses", "magenta", (Row("generator_loss", "generator"), Row("discriminator_loss", "discriminator")))
JUDGEMENT = Section(
    "discriminator",
    "yellow",
    (
        Row("auc", "AUC", (0.5, 1.0)),
        Row("real_confidence", "on real", UNIT),
        Row("fake_confidence", "on fake", UNIT),
        Row("real_score", "score real"),
        Row("fake_score", "score fake"),
        Row("held_out_gap", "held-out gap", UNIT),
    ),
)
DIVERSITY = Section(
    "diversity of fakes, 1 = as real",
    "green",
    (
        Row("variance_ratio", "variance", (0.0, 1.2)),
        Row("pairwise_distance_ratio", "distance", (0.0, 1.2)),
        Row("nearest_neighbour_ratio", "neighbour", (0.0, 1.2)),
        Row("coverage", "coverage", UNIT),
        Row("vendi_ratio", "Vendi", (0.0, 1.2)),
    ),
)


@dataclass(frozen=True)
class Frame:
    """The run as it is now.

    Args:
        name: of the run.
        log: None while there is none.
        age: seconds since the log was written to.
        room: lines to fit into, None for as many as it takes.
    """

    name: str
    log: RunLog | None
    age: float | None
    room: int | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if self.log is None:
            yield Text(f"waiting for {printable(self.name)} to write its {FILE_NAME}, Ctrl-C ends", "dim")
            return
        width = options.max_width
        sections = list(_sections(self.log.records))
        # A panel has a border above and below.
        one_column = sum(len(section.rows) + 2 for section in sections) + 8
        tall = self.room is None or self.room >= one_column
        side_by_side = width >= WIDE or (width >= NARROW and not tall)
        steps = _span(self.log.records)
        blocks = BLOCKS if _writes(console, BLOCKS) else PLAIN
        panels = [_panel(section, self.log.records, steps, blocks) for section in sections]
        yield from self._head(blocks, steps)
        if side_by_side:
            left, right = _halves(sections, panels)
            grid = Table.grid(expand=True, padding=0)
            grid.add_column(ratio=1)
            grid.add_column(ratio=1)
            grid.add_row(Group(*left), Group(*right))
            yield grid
            used = max(_height(part) for part in _halves(sections, sections))
        else:
            yield from panels
            used = _height(sections)
        yield from self._alerts(console, options, None if self.room is None else max(4, self.room - used - 3))

    def _head(self, blocks: str, steps: tuple[int, int]) -> Iterator[RenderableType]:
        log = self.log
        if log is None or not log.records:
            yield Text(f" {printable(self.name)}: nothing measured yet", "bold")
            return
        last = log.records[-1]
        parts = [f"step {last.step:,}", f"{duration(last.time)}"]
        rate = _rate(log.records)
        if rate is not None:
            parts.insert(1, f"{rate:,.3g} steps/s" if rate < 100 else f"{rate:,.0f} steps/s")
        good = last_good_step(log.records, log.alerts)
        name = Text(f" {_short(self.name)}", "bold")
        head = Text.assemble(name, "  ", "  ".join(parts), no_wrap=True, overflow="crop")
        if good is None:
            head.append("  no good step", "red")
        elif good < last.step:
            head.append(f"  last good step {good:,}", "bold green")
        lost = sum(value for name, value in _totals(log.records).items() if name != "non_finite_step")
        if lost:
            head.append(f"  {lost:,.0f} non-finite", "bold red")
        if self.age is not None and self.age >= QUIET:
            head.append(f"  silent for {duration(self.age)}", "dim")
        yield head
        if log.alerts:
            yield _Timeline(log.alerts, steps, "│" if blocks is BLOCKS else "|")

    def _alerts(self, console: Console, options: ConsoleOptions, room: int | None) -> RenderResult:
        """The latest alerts first, cut off where there is no room for more."""
        log = self.log or RunLog({}, (), ())
        lines: list[RenderableType] = []
        for alert in reversed(log.alerts):
            when = f"step {alert.step:,}" + (f", since {alert.since_step:,}" if alert.since_step < alert.step else "")
            head = ((alert.severity, COLOURS[alert.severity]), f" {printable(alert.kind)}  ", (when, "dim"))
            lines += [Text.assemble(*head), Text(printable(alert.message), overflow="fold")]
        if not log.alerts:
            lines.append(Text("none so far", "dim"))
        lines += [Text(f"note: {printable(text)}", "dim", overflow="fold") for _, text in log.notes[-2:]]
        body = Group(*lines)
        needed = len(console.render_lines(body, options.update(width=options.max_width - 4))) + 2
        worst = max((alert.severity for alert in log.alerts), key=SEVERITIES.index, default=None)
        yield Panel(
            body,
            title=f"alerts ({len(log.alerts)})" if log.alerts else "alerts",
            title_align="left",
            border_style="dim" if worst is None else COLOURS[worst],
            box=box.ROUNDED,
            height=None if room is None or needed <= room else room,
        )


@dataclass(frozen=True)
class _Line:
    """A sparkline as wide as its column."""

    points: Sequence[tuple[int, float]]
    steps: tuple[int, int]
    row: Row
    colour: str
    blocks: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        begin, end = self.steps
        line = sparkline(
            self.points,
            options.max_width,
            begin=begin,
            end=end,
            limits=self.row.limits,
            logarithmic=self.row.logarithmic,
            blocks=self.blocks,
        )
        yield Text(line, self.colour, no_wrap=True)

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(min(8, options.max_width), options.max_width)


@dataclass(frozen=True)
class _Timeline:
    """Where in the run the alerts are."""

    alerts: Sequence[Alert]
    steps: tuple[int, int]
    mark: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(1, options.max_width - 2)
        begin, end = self.steps
        line = Text(" " + "─" * width if self.mark == "│" else " " + "-" * width, "dim")
        for alert in sorted(self.alerts, key=lambda alert: SEVERITIES.index(alert.severity)):
            place = 1 + min(max(alert.step - begin, 0) * width // max(end - begin, 1), width - 1)
            mark = Text("●" if self.mark == "│" else "!", COLOURS[alert.severity])
            line = Text.assemble(line[:place], mark, line[place + 1 :])
        yield line


def _sections(records: Sequence[Record]) -> Iterator[Section]:
    """The sections with the rows that were measured, one row for each player."""
    names = {name for record in records for name in record.signals}
    beside = ("_stderr", "_better")  # of a quality, what is no quality itself
    quality = sorted(name for name in names if name.startswith(QUALITY) and not name.partition("@")[0].endswith(beside))
    rows = tuple(Row(name, name.removeprefix(QUALITY)) for name in quality)
    for section in (GRADIENTS, LOSSES, JUDGEMENT, DIVERSITY, Section("quality", "cyan", rows)):
        found = [
            Row(name, row.label if player_of(name) is None else f"{row.label} {player_of(name)}", *_look(row))
            for row in section.rows
            for name in sorted(name for name in names if name.partition("@")[0] == row.signal or name == row.signal)
        ]
        if section is JUDGEMENT and any(row.signal.startswith("real_confidence") for row in found):
            found = [row for row in found if "_score" not in row.signal]
        if found:
            yield Section(section.title, section.colour, tuple(found))


def _look(row: Row) -> tuple[tuple[float, float] | None, bool]:
    return row.limits, row.logarithmic


def _panel(section: Section, records: Sequence[Record], steps: tuple[int, int], blocks: str) -> Panel:
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(no_wrap=True, width=max(13, *(min(len(row.label), 18) for row in section.rows)))
    grid.add_column(ratio=1, no_wrap=True)
    grid.add_column(no_wrap=True, justify="right", width=8)
    for row in section.rows:
        points = [(record.step, record.signals[row.signal]) for record in records if row.signal in record.signals]
        line = _Line(points, steps, row, section.colour, blocks)
        grid.add_row(Text(printable(row.label), overflow="crop"), line, Text(_value(points[-1][1]), "bold"))
    return Panel(grid, title=section.title, title_align="left", border_style="dim", box=box.ROUNDED)


def _halves(sections: Sequence[Section], parts: Sequence[object]) -> tuple[list[RenderableType], list[RenderableType]]:
    """The parts in two columns of about one height, in order."""
    half = _height(sections) / 2
    left: list[RenderableType] = []
    right: list[RenderableType] = []
    used = 0
    for section, part in zip(sections, parts, strict=True):
        height = _height([section])
        column = left if not right and used + height / 2 <= half else right
        column.append(part)  # type: ignore[arg-type]
        used += height
    return left, right


def _height(sections: Iterable[object]) -> int:
    return sum(len(section.rows) + 2 for section in sections if isinstance(section, Section))


def _span(records: Sequence[Record]) -> tuple[int, int]:
    steps = [record.step for record in records]
    return min(steps, default=0), max(steps, default=0)


def _rate(records: Sequence[Record]) -> float | None:
    """Steps a second over the latest records."""
    recent = records[-RECENT:]
    if len(recent) < 2 or recent[-1].time <= recent[0].time or recent[-1].step <= recent[0].step:
        return None
    return (recent[-1].step - recent[0].step) / (recent[-1].time - recent[0].time)


def _totals(records: Sequence[Record]) -> dict[str, float]:
    totals: dict[str, float] = {}
    for record in records:
        for name, value in record.signals.items():
            if name.startswith("non_finite_"):
                base = name.partition("@")[0]
                totals[base] = totals.get(base, 0.0) + value
    return totals


def _short(name: str) -> str:
    """The end of a long path: its folder tells the run, and the rest of the line is for figures."""
    name = printable(name)
    return name if len(name) <= LONGEST_NAME else f"...{name[3 - LONGEST_NAME :]}"


def _value(value: float) -> str:
    if value == 0 or 0.001 <= abs(value) < 10_000:
        return f"{value:.4g}"
    return f"{value:.1e}"


def _writes(console: Console, text: str) -> bool:
    try:
        text.encode(console.encoding)
    except (UnicodeEncodeError, LookupError):
        return False
    return True
