from __future__ import annotations

from dataclasses import replace

import pytest

from gandiag.cli.output import check_writable, data_console, interval_text, print_plan, print_result, value_text
from gandiag.core.result import Result
from gandiag.core.score import measured, undefined
from gandiag.evaluation.planning import Plan, PlannedScore


def score(value, stderr=None, interval=None, **options):
    return measured(
        value, stderr=stderr, interval=interval, error_method="test", better=None, n_real=1, n_fake=1, **options
    )


@pytest.mark.parametrize(
    ("found", "value", "interval"),
    [
        (score(12.3456, 0.21), "12.35", "11.93 to 12.76"),
        (score(0.123456, 0.0021), "0.1235", "0.1193 to 0.1276"),
        (score(1234.5, 33.0), "1234", "1170 to 1299"),
        (score(1000.0, 0.0), "1000", "1000 to 1000"),
        (score(0.0, 0.0, (0.0, 0.0004)), "0.00000", "0.00000 to 0.00040"),
        (score(3.21), "3.210", "-"),
        (score(3.0), "3", "-"),
        (score(1e-9, 1e-10), "0.000000", "0.000000 to 0.000000"),
        (score(5.0, 0.5, unreliable="why"), "5.00 ?", "4.02 to 5.98"),
        (undefined("why", better=None, n_real=1, n_fake=1), "undefined", ""),
    ],
)
def test_numbers_have_the_digits_that_their_error_allows(found, value, interval):
    assert (value_text(found), interval_text(found)) == (value, interval)


@pytest.mark.parametrize("columns", ["wide", "0", "-5", "1e3", ""])
def test_a_width_that_is_none_is_the_usual_one(monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    assert data_console().width == 120


def test_the_width_that_was_asked_for(monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    assert data_console().width == 70


def result(**scores):
    return Result(
        created="2026-01-01T00:00:00+00:00",
        source={"name": "model.pt", "kind": "checkpoint", "weights": None},
        reference={"name": "ring8"},
        protocol={"samples": 1},
        scores={name.replace("__", "@"): each for name, each in scores.items()},
    )


@pytest.mark.parametrize("width", [60, 80, 120])
@pytest.mark.parametrize("extractor", ["inception", "dinov2_vit_l_14-x", "file:a/rather/long/path/of/a/network.pt"])
def test_value_and_interval_are_whole_in_a_narrow_terminal(monkeypatch, capsys, width, extractor):
    monkeypatch.setenv("COLUMNS", str(width))
    scores = {"fid": score(12.3456, 0.21), "fid_infinity__long": score(0.123456, 0.0021, unreliable="why")}
    print_result(
        result(**{k: replace(s, extractor=extractor, n_fake=50_000, n_real=60_000) for k, s in scores.items()}), None
    )
    out = capsys.readouterr().out
    for word in (
        "value",
        "12.35",
        "0.1235 ?",
        "95% interval",
        "11.93 to 12.76",
        "0.1193 to 0.1276",
        "N fake",
        "N real",
    ):
        assert word in out
    assert (out.count("50,000"), out.count("60,000")) == (2, 2)
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width


def test_a_name_is_no_markup_and_is_shown_to_its_end(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "120")
    found = replace(score(12.3456, 0.21), extractor="file:net[v2]\x1b")
    print_result(result(**{"fid@file:net[v2]": found}), None)
    out = capsys.readouterr().out
    assert "fid@file:net[v2]" in out
    assert out.count("file:net[v2]") == 2
    assert "\x1b" not in out


def test_a_result_without_scores_is_a_table(capsys):
    print_result(result(), None)
    assert "95% interval" in capsys.readouterr().out


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_plan_is_whole_in_a_narrow_terminal(monkeypatch, capsys, width):
    monkeypatch.setenv("COLUMNS", str(width))
    name, reason = "fid@file:net[v2]", "the interval does not shrink with the number of samples"
    scores = (
        PlannedScore(name, 12.3456, 0.4211, 0.21, 52_000, 300.0, None),
        PlannedScore("kid_of_a_long_name", None, None, None, None, None, reason),
    )
    print_plan(Plan((500, 1000), scores), None)
    out = capsys.readouterr().out
    for word in ("value", "12.35", "half width", "0.42", "0.21", "time here", "5 min"):
        assert word in out
    assert "…" not in out
    assert max(map(len, out.splitlines())) <= width
    assert width < 120 or name in out


@pytest.mark.parametrize("existing", [True, False])
def test_whether_a_link_can_be_written_leaves_no_trace(tmp_path, existing):
    link, target = tmp_path / "link.json", tmp_path / "target.json"
    if existing:
        target.write_text("old")
    link.symlink_to(target)
    check_writable(link)
    assert link.is_symlink()
    assert sorted(tmp_path.iterdir()) == ([link, target] if existing else [link])
    assert not existing or target.read_text() == "old"
