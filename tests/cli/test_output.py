from __future__ import annotations

import pytest

from gandiag.cli.output import data_console, interval_text, value_text
from gandiag.core.score import measured, undefined


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
