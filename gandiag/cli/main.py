"""The command `gandiag`: its sub-commands, and one clear line for whatever goes wrong."""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import click

from gandiag._version import __version__
from gandiag.cli.compare import compare_command
from gandiag.cli.diagnose import diagnose_command
from gandiag.cli.doctor import doctor_command
from gandiag.cli.gate import gate_command
from gandiag.cli.inspect import inspect_command
from gandiag.cli.list import list_command
from gandiag.cli.live import live_command
from gandiag.cli.options import debug_option
from gandiag.cli.sample import sample_command
from gandiag.cli.score import score_command
from gandiag.cli.stats import stats_command
from gandiag.cli.streams import lasting_streams
from gandiag.cli.study import study_command
from gandiag.cli.train import train_command
from gandiag.cli.weights import weights_command
from gandiag.core.abandoned import abandoned
from gandiag.core.errors import GandiagError, printable, shown

INTERRUPTED = 130  # of a shell, for a command that Ctrl-C ended
# What is wrong with a path that somebody named, wherever it is met first.
PLACES = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EROFS, errno.ENOSPC, errno.EDQUOT)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="gandiag")
@debug_option
def cli() -> None:
    """Is this GAN any good? Scores of trained generators, with error bars and the protocol that they follow.

    Exit codes: 0 fine; 1 a gate failed, an alert at --fail-on, or doctor found a fault; 2 bad usage or bad input; 3 a
    fault of gandiag's own; 4 a gate is inconclusive; 130 stopped by Ctrl-C.
    """


cli.add_command(score_command)
cli.add_command(compare_command)
cli.add_command(gate_command)
cli.add_command(diagnose_command)
cli.add_command(live_command)
cli.add_command(train_command)
cli.add_command(sample_command)
cli.add_command(inspect_command)
cli.add_command(stats_command)
cli.add_command(study_command)
cli.add_command(list_command)
cli.add_command(doctor_command)
cli.add_command(weights_command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run a command line and exit with its code."""
    with lasting_streams():
        _main(list(sys.argv[1:] if arguments is None else arguments))


def _main(words: list[str]) -> NoReturn:
    try:
        code = cli.main(words, prog_name="gandiag", standalone_mode=False)
        _flush()
        sys.exit(code if isinstance(code, int) else 0)
    except (KeyboardInterrupt, click.Abort):
        _fail("stopped", INTERRUPTED)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        sys.exit(2)
    except click.ClickException as error:
        _fail(f"error: {_usage(error)}", 2)
    except GandiagError as error:
        _fail(f"error: {error}", error.exit_code, "--debug" in words)
    except OSError as error:
        if error.errno not in PLACES or error.filename is None:
            _fault(error, "--debug" in words)
        _fail(f"error: {shown(error.filename)}: {error.strerror}; name another place", 2, "--debug" in words)
    except Exception as error:
        if _ran_out(error):
            reason = f"there is too little memory: {str(error).partition(chr(10))[0] or 'no more is to be had'}"
            _fail(f"error: {reason}; ask for less at a time, or for smaller networks", 2, "--debug" in words)
        _fault(error, "--debug" in words)


def _ran_out(error: Exception) -> bool:
    from gandiag.statistics.memory import is_out_of_memory

    return is_out_of_memory(error)


def _fault(error: Exception, debug: bool) -> NoReturn:
    text = f"{type(error).__name__}: {error}".partition("\n")[0]
    _fail(f"error: a fault of gandiag's own: {text}; run it with --debug and report it", 3, debug)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed before the start
            stream.flush()


def _usage(error: click.ClickException) -> str:
    message = error.format_message().replace("\n", " ").rstrip(".")
    context = getattr(error, "ctx", None)
    return message if context is None else f"{message}; see `{context.command_path} --help`"


def _fail(message: str, code: int, debug: bool = False) -> NoReturn:
    if debug:
        traceback.print_exc()
    click.echo(printable(message), err=True)
    if abandoned():
        # A stranger's program still computes, and an end in order would wait for it or crash.
        _flush()
        os._exit(code)
    sys.exit(code)
