"""Two Gloo processes give the scores of one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from gandiag.core.errors import UsageError
from gandiag.evaluation.environment import processes

ARGUMENTS = ["score", "ring8", "--metric", "fid,pr,modes,kid", "--samples", "2000", "--seed", "3", "--no-cache"]
DIGITS = ["score", "mnist:test", "--against", "mnist:test", "--metric", "fid,is,pr,modes", "--batch-size", "300"]


def run(tmp_path, arguments, processes):
    out = tmp_path / f"{processes}.json"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = [sys.executable, "-m"]
    if processes > 1:
        start += ["torch.distributed.run", "--standalone", f"--nproc-per-node={processes}", "-m"]
    done = subprocess.run(
        [*start, "gandiag", *arguments, "--json", str(out)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(out.read_text()), done.stdout


@pytest.mark.parametrize("arguments", [ARGUMENTS, DIGITS], ids=["points", "digits"])
def test_two_processes_give_the_scores_of_one(tmp_path, arguments):
    one, _ = run(tmp_path, arguments, 1)
    two, printed = run(tmp_path, arguments, 2)
    assert two["protocol"]["processes"] == 2
    assert printed.count("95% interval") == 1  # one table, not one a process
    assert one["scores"].keys() == two["scores"].keys()
    for name, score in one["scores"].items():
        other = two["scores"][name]
        assert other["fingerprint"] == score["fingerprint"], name
        for number in ("value", "stderr"):
            assert other[number] == pytest.approx(score[number], rel=1e-9, abs=1e-12), (name, number)


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({"WORLD_SIZE": "x"}, "WORLD_SIZE is 'x'"),
        ({"WORLD_SIZE": "2"}, "cannot join the 2 processes"),
        ({"WORLD_SIZE": "2", "LOCAL_RANK": "-1"}, "LOCAL_RANK is '-1'"),
    ],
)
def test_what_another_launcher_left_behind_is_a_bad_option(monkeypatch, variables, says):
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(UsageError, match=says), processes("cpu"):
        pass
