"""Run what the documentation shows and paste the real output: `python tools/run_docs.py [FILE ...]`.

A block that is run stands below a marker: `<!-- run: COMMAND -->`, or `<!-- run python -->` for the nearest Python
block above it. The commands of all files run in one temporary folder, in order, with one thread.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HOME = Path(__file__).parent.parent
FILES = (
    "README.md",
    "docs/getting-started.md",
    "docs/command-line.md",
    "docs/compare.md",
    "docs/engine.md",
    "docs/python.md",
    "docs/results.md",
    "docs/sinks.md",
    "docs/metrics",
)
BLOCK = re.compile(
    r"(<!-- run(?:: (?P<command>[^\n]*)| python) -->\n\n?```\w*\n)(?P<old>.*?)(?P<end>\n?```)", re.DOTALL
)
SOURCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def fill(text: str, folder: Path) -> str:
    """The text with the output of every marked block in its place."""

    def replaced(found: re.Match[str]) -> str:
        command = found["command"] or f"python -c {_quoted(SOURCE.findall(text[: found.start()])[-1])}"
        print(f"  {command.partition(chr(10))[0]}", flush=True)
        missing = [word for word in command.split() if word.startswith("examples/") and not (folder / word).exists()]
        if missing:
            print(f"  left as it is: {missing[0]} is not there")
            return found[0]
        return f"{found[1]}{output(command, folder)}\n```"

    return BLOCK.sub(replaced, text)


def output(command: str, folder: Path) -> str:
    """What a command prints, stderr last, without spaces at the ends of lines."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    environment["GANDIAG_CACHE"] = str(folder / "cache")
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    lines = (done.stdout.rstrip("\n") + "\n" + done.stderr).rstrip("\n").split("\n")
    return "\n".join(line.rstrip() for line in lines)


def _quoted(source: str) -> str:
    return "'" + source.replace("'", "'\\''") + "'"


def main() -> None:
    """Fill the files that are named, or all that show output."""
    names = sys.argv[1:] or FILES
    files = [file for name in names for file in sorted((HOME / name).glob("*.md")) or [HOME / name]]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(HOME / "examples")
        for file in files:
            print(file.relative_to(HOME))
            text = file.read_text(encoding="utf-8")
            file.write_text(fill(text, Path(folder)), encoding="utf-8")


if __name__ == "__main__":
    main()
