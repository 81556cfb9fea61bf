"""`gandiag live`: a run in the terminal while it trains."""

from __future__ import annotations

import time
from pathlib import Path

import click

from gandiag.cli.options import debug_option


@click.command("live")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Print one frame and end, as where stdout is no terminal.")
@click.option(
    "--every", type=click.FloatRange(0.1, 3600), default=1.0, show_default=True, help="Seconds between two frames."
)
@debug_option
def live_command(run: Path, once: bool, every: float) -> None:
    """Watch RUN, a run folder or its run.jsonl, while it trains. Ctrl-C ends it.

    Signals over the whole run, alerts, the last good step and the rate. A run that has not begun is waited for, and a
    new run in the same folder takes the place of the one before.
    """
    from rich.live import Live

    from gandiag.cli.live_view import Frame
    from gandiag.cli.output import data_console
    from gandiag.core.run_log import GrowingLog, read_run_log

    console = data_console()
    if once or not console.is_terminal:
        console.print(Frame(str(run), read_run_log(run), _age(run), room=None))
        return
    log = GrowingLog(run)
    frame = Frame(str(run), None, None, room=console.height)
    try:
        with Live(frame, console=console, screen=True, auto_refresh=False) as live:
            while True:
                try:
                    changed = log.update()
                except FileNotFoundError:
                    changed = False
                if changed or frame.log is None or frame.age is None or frame.age < 3600:
                    begun = log.so_far() if log.begun else None
                    frame = Frame(str(run), begun, _age(run), room=console.height)
                live.update(frame, refresh=True)
                time.sleep(every)
    finally:
        console.print(Frame(frame.name, frame.log, frame.age, room=None))  # what stood there last stays to be read


def _age(run: Path) -> float | None:
    """Seconds since the log was written to, None where there is none."""
    from gandiag.core.run_log import log_path

    try:
        return max(0.0, time.time() - log_path(run).stat().st_mtime)
    except OSError:
        return None
