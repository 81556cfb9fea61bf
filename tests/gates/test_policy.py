"""Policies: what is read, and what is refused before anything is computed."""

from __future__ import annotations

import subprocess
import sys

import pytest

from gandiag.core.errors import GandiagError, InputError
from gandiag.gates.policy import AlertGate, LimitGate, MissingModesGate, Policy, RegressionGate

FID = '[[gate]]\nmetric = "fid"\n'
WHOLE = """
against = "stacked-mnist"
samples = 26000
confidence = 0.9
extractor = "digits"
on_inconclusive = "warn"
[[gate]]
metric = "fid"
max = 12
[[gate]]
metric = "precision@pixels"
min = 0.5
max = 1.0
on_inconclusive = "fail"
[[gate]]
metric = "fid"
max_regression = "5%"
[[gate]]
metric = "kid"
max_regression = 0.001
[[gate]]
missing_modes = 10
[[gate]]
alert = "mode_collapse"
max_count = 1
severity = "warning"
[[gate]]
alert = "any"
"""


def test_a_policy_with_everything_is_read():
    policy = Policy.from_toml(WHOLE)
    assert (policy.against, policy.samples, policy.confidence, policy.extractor) == (
        "stacked-mnist",
        26000,
        0.9,
        "digits",
    )
    assert policy.gates == (
        LimitGate("fid", None, None, 12.0, "warn"),
        LimitGate("precision", "pixels", 0.5, 1.0, "fail"),
        RegressionGate("fid", None, 0.05, True, "warn"),
        RegressionGate("kid", None, 0.001, False, "warn"),
        MissingModesGate(10, None, "warn"),
        AlertGate("mode_collapse", 1, "warning", "warn"),
        AlertGate("any", 0, "info", "warn"),
    )
    assert policy.metrics() == ["fid", "precision_recall@pixels", "kid", "mode_coverage"]


def test_the_policy_of_the_design_is_read():
    text = """
against = "stacked-mnist"
samples = 26000
confidence = 0.95                      # pass: the whole interval is inside the limit
[[gate]]
metric = "fid"
max = 12.0
[[gate]]
metric = "modes"
min = 990
[[gate]]
metric = "fid"
max_regression = "5%"                  # against --baseline; fails only where the difference is significant
on_inconclusive = "fail"               # or "pass" | "warn"
"""
    assert len(Policy.from_toml(text).gates) == 3


REFUSED = [
    ("", "holds no gate"),
    ("confidence = 0.95", "holds no gate"),
    ("gate = []", "holds no gate"),
    ("= 3", "not TOML"),
    ("a" * 300, "not TOML"),
    ("x = " + "[" * 5000, "not TOML"),
    ("confidence = 0.95\nconfidence = 0.9\n" + FID + "max = 1", "not TOML"),
    ('[gate]\nmetric = "fid"\nmax = 1', "write [[gate]]"),
    ('gate = "fid"', "write each as [[gate]]"),
    ("gate = [1]", "write each as [[gate]]"),
    ("confidense = 0.95\n" + FID + "max = 1", "did you mean 'confidence'?"),
    (FID + "maximum = 1", "gate 1: unknown key 'maximum', did you mean 'max'?"),
    (FID, "sets no limit"),
    ("[[gate]]\nmax = 1", "names nothing to look at"),
    ('[[gate]]\nmetric = "fid"\nalert = "imbalance"\nmax = 1', "names metric and alert"),
    ('[[gate]]\nalert = "imbalance"\nmax = 1', "max does not go with alert"),
    ('[[gate]]\nmetric = "precison"\nmax = 1', "did you mean 'precision'?"),
    ('[[gate]]\nmetric = "pr"\nmax = 1', "has the scores precision, recall, density, coverage"),
    ('[[gate]]\nmetric = ""\nmax = 1', "expected text"),
    ("[[gate]]\nmetric = 3\nmax = 1", "expected text"),
    ('[[gate]]\nmetric = "fid@digit"\nmax = 1', "did you mean 'digits'?"),
    ('[[gate]]\nmetric = "fid@"\nmax = 1', "expected text"),
    ('[[gate]]\nmetric = "fid@digits"\nextractor = "pixels"\nmax = 1', "name it once"),
    (FID + 'max = 1\nextractor = "inceptoin"', "did you mean 'inception'?"),
    (FID + "max = nan", "expected a finite number"),
    (FID + "max = inf", "expected a finite number"),
    (FID + "max = true", "expected a finite number"),
    (FID + 'max = "12"', "expected a finite number"),
    (FID + "max = 2026-01-01", "expected a finite number"),
    (FID + "max = 1" + "0" * 400, "expected a finite number"),
    (FID + "max = 1" + "0" * 5000, "not TOML"),  # Python refuses to read so many digits
    (FID + "min = 3\nmax = 2", "contradicts itself"),
    (FID + "max = 2\n" + FID + "min = 3", "contradict each other"),
    (FID + "max = 2\n" + FID + "max = 3", "the same twice"),
    (FID + 'max_regression = "5%"\n' + FID + "max_regression = 0.1", "the same twice"),
    ('[[gate]]\nalert = "any"\n[[gate]]\nalert = "any"', "the same twice"),
    (FID + "max = 2\nmax_regression = 0.1", "a [[gate]] of its own"),
    (FID + 'max_regression = "-5%"', "percentage"),
    (FID + 'max_regression = "5"', "percentage"),
    (FID + 'max_regression = "nan%"', "percentage"),
    (FID + 'max_regression = "__import__%"', "percentage"),
    (FID + "max_regression = -1", "percentage"),
    ("confidence = 95\n" + FID + "max = 1", "between 0.5 and 1"),
    ("confidence = 1.0\n" + FID + "max = 1", "between 0.5 and 1"),
    ("samples = 0\n" + FID + "max = 1", "whole number of 1 or more"),
    ("samples = 1e4\n" + FID + "max = 1", "whole number of 1 or more"),
    ("samples = true\n" + FID + "max = 1", "whole number of 1 or more"),
    ('on_inconclusive = "fial"\n' + FID + "max = 1", "did you mean 'fail'?"),
    ("on_inconclusive = []\n" + FID + "max = 1", "expected one of"),
    ('[[gate]]\nalert = "mode_colapse"', "did you mean 'mode_collapse'?"),
    ('[[gate]]\nalert = "any"\nmax_count = -1', "whole number of 0 or more"),
    ('[[gate]]\nalert = "any"\nseverity = "bad"', "unknown severity"),
    ("[[gate]]\nmissing_modes = -1", "whole number of 0 or more"),
    ("[[gate]]\nmissing_modes = 1.5", "whole number of 0 or more"),
    ("against = 3\n" + FID + "max = 1", "expected text"),
]


@pytest.mark.parametrize(("text", "says"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_policy_is_refused_in_one_line(text, says):
    with pytest.raises(GandiagError) as refused:
        Policy.from_toml(text)
    message = str(refused.value)
    assert says in message
    assert "\n" not in message
    assert refused.value.exit_code == 2


def test_a_hostile_name_is_quoted():
    with pytest.raises(GandiagError) as refused:
        Policy.from_toml('[[gate]]\nmetric = "\\u001b[31m\\n<script>"\nmax = 1')
    assert "\x1b" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_the_file_is_named(tmp_path):
    for name, content in (("a.toml", b"\xff\xfe"), ("b.toml", b"x"), ("c.toml", b"#" * 2_000_000)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=name):
            Policy.load(tmp_path / name)
    with pytest.raises(InputError, match="cannot read the policy"):
        Policy.load(tmp_path)
    with pytest.raises(InputError, match="No such file"):
        Policy.load(tmp_path / "none.toml")


def test_scores_that_only_a_result_has_may_be_named():
    text = '[[gate]]\nmetric = "fooling_rate"\nmin = 0.4'
    with pytest.raises(GandiagError, match="unknown metric"):
        Policy.from_toml(text)
    policy = Policy.from_toml(text, ["fooling_rate"])
    with pytest.raises(GandiagError, match="gate a saved Result"):
        policy.metrics()
    assert Policy.from_toml('[[gate]]\nmetric = "fid@file:mine"\nmax = 1', ["fid@file:mine"]).gates[0].extractor


def test_every_score_that_a_metric_declares_is_known_without_loading_it():
    from gandiag.gates.known import metric_of_score
    from gandiag.metrics import METRICS

    for name in METRICS.names():
        for score in METRICS.load(name).scores:
            assert metric_of_score()[score] == name


def test_reading_a_policy_loads_nothing_heavy():
    program = f"from gandiag.gates.policy import Policy; Policy.from_toml('''{WHOLE}''')\n"
    check = "import sys; assert not {'torch', 'scipy', 'numpy', 'rich'} & set(sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program + check], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
