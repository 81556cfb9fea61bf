"""What is quick must not load what is slow."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "scipy", "PIL", "pandas", "rich")


@pytest.mark.parametrize(
    "program",
    [
        "import gandiag; dir(gandiag); gandiag.__version__",
        "import gandiag; gandiag.UsageError, gandiag.Result, gandiag.Score",
        "from gandiag.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        "from gandiag.cli.main import main\ntry: main(['score', '--help'])\nexcept SystemExit: pass",
        "from gandiag.cli.main import main\ntry: main(['list'])\nexcept SystemExit: pass",
    ],
)
def test_light_commands_import_nothing_heavy(program):
    check = f"\nimport sys; heavy = set({HEAVY!r}) & set(sys.modules); sys.exit(f'loaded {{heavy}}' if heavy else 0)"
    finished = subprocess.run([sys.executable, "-c", program + check], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
