"""The report of a run, opened in a browser."""

from __future__ import annotations

import math
import re

import pytest
from browser import accessibility_findings, open_page

from gandiag.core.alert import KINDS, Alert
from gandiag.core.errors import InputError
from gandiag.core.run_log import RunLog
from gandiag.core.signals import Record
from gandiag.monitor.diagnose import Diagnosis
from gandiag.reports.run import write_run_report

HOSTILE = "</title><script>alert(1)</script>"


def diagnosis(name="runs/a", records=120, **changes):
    signals = [
        {
            "generator_gradient_norm": 0.3 + 0.1 * math.sin(step),
            "auc": 0.7,
            "variance_ratio@A": max(0.9 - step / records, 0.01),
            "quality_kid": 0.1,
            "quality_kid_stderr": 0.01,
            "quality_kid_better": -1.0,
            "quality_fid@A": 30.0,
            "quality_fid_stderr@A": 0.5,
            "quality_fid_better@A": -1.0,
        }
        for step in range(records)
    ]
    log = RunLog(
        {"schema": "gandiag.run/1", "created": "now"},
        tuple(Record(50 * (i + 1), float(i), s) for i, s in enumerate(signals)),
        (),
    )
    advice = ("Check the noise first.", f"Silence it: {HOSTILE}")
    alert = Alert("mode_collapse", "critical", 5000, 4700, f"variance fell {HOSTILE}", {"variance_ratio": 0.02}, advice)
    return Diagnosis(
        name,
        "gandiag",
        log,
        **{"alerts": (alert,), "inactive": {"discriminator_overfitting": "no held-out batch"}, **changes},
    )


@pytest.mark.parametrize(("width", "dark"), [(400, True), (1280, False)])
def test_it_says_what_happened(tmp_path, width, dark):
    path = tmp_path / "run.html"
    write_run_report(diagnosis(name=HOSTILE), path)
    with open_page(path, width=width, dark=dark) as page:
        assert accessibility_findings(page) == []
        text = page.inner_text("main")
        assert "mode collapse at step 5,000" in text
        assert "Check the noise first." in text
        assert "discriminator overfitting" in text
        assert page.locator("svg .event.critical").count() >= 3  # in each chart
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_without_scripts_nothing_is_lost(tmp_path):
    path = tmp_path / "run.html"
    write_run_report(diagnosis(), path)
    with open_page(path) as with_scripts:
        full = with_scripts.inner_text("main").split()
    with open_page(path, scripts=False) as without:
        assert without.inner_text("main").split() == full


def test_sorting_a_table_orders_numbers(tmp_path):
    path = tmp_path / "run.html"
    write_run_report(diagnosis(), path)
    with open_page(path) as page:
        page.click("#measured th >> text=highest")
        cells = page.locator("#measured tbody tr td:nth-child(5)").all_inner_texts()
        assert [float(cell) for cell in cells] == sorted(float(cell) for cell in cells)


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "bad"),
        ({"alerts": ()}, "good"),
        ({"alerts": (), "inactive": dict.fromkeys(KINDS[1:], "needs all")}, "warn"),
        ({"alerts": (), "inactive": dict.fromkeys(KINDS[:6], "needs all")}, "warn"),
        ({"alerts": (), "inactive": dict.fromkeys(KINDS[:5], "needs all")}, "good"),
        ({"alerts": (), "inactive": {f"{kind} (scores)": "needs more" for kind in KINDS}}, "good"),
        ({"inactive": dict.fromkeys(KINDS[1:], "needs all")}, "bad"),
    ],
)
def test_blind_is_not_healthy(tmp_path, changes, state):
    path = tmp_path / "run.html"
    write_run_report(diagnosis(**changes), path)
    assert re.findall(r'class="verdict (\w+)"', path.read_text(encoding="utf-8")) == [state]


def test_a_quality_has_one_chart(tmp_path):
    path = tmp_path / "run.html"
    write_run_report(diagnosis(), path)
    page = path.read_text(encoding="utf-8")
    assert sorted(set(re.findall(r"Quality: [\w ]+", page))) == ["Quality: fid of A", "Quality: kid"]


def test_an_empty_run_and_a_bad_path(tmp_path):
    empty = Diagnosis("x", "csv", RunLog({}, (), ()), (), {})
    write_run_report(empty, tmp_path / "empty.html")
    assert "nothing was measured" in (tmp_path / "empty.html").read_text()
    with pytest.raises(InputError, match="cannot write"):
        write_run_report(empty, tmp_path)


def test_a_long_run_stays_small(tmp_path):
    path = tmp_path / "long.html"
    write_run_report(diagnosis(records=20_000), path)
    assert path.stat().st_size < 500_000
