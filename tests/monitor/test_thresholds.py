"""Thresholds: settable by mapping and by file, checked by name, type and range."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from signal_streams import after, run, stream

from gandiag.core.errors import InputError, UnknownNameError, UsageError
from gandiag.monitor.detectors import DETECTORS
from gandiag.monitor.engine import Engine
from gandiag.monitor.thresholds import read_thresholds, settled

ROOT = Path(__file__).parents[2]


def test_a_limit_moves_the_alert():
    records = stream(change=after(1500, variance_ratio=0.15))
    assert run(Engine(), records) == []
    assert run(Engine({"mode_collapse": {"variance_ratio": 0.19}}), records)[0].kind == "mode_collapse"


def test_the_rest_keeps_its_defaults():
    changed = settled({"mode-collapse": {"hold": 900}})
    assert changed["mode_collapse"] == dataclasses.replace(settled()["mode_collapse"], hold=900)
    assert {**changed, "mode_collapse": None} == {**settled(), "mode_collapse": None}


def test_whole_numbers_stand_for_numbers():
    assert settled({"imbalance": {"ratio": 50}})["imbalance"].ratio == 50.0


def test_false_leaves_a_kind_out_and_true_keeps_it():
    assert "imbalance" not in settled({"imbalance": False})
    assert settled({"imbalance": True}) == settled()


@pytest.mark.parametrize(
    ("thresholds", "error", "text"),
    [
        ({"mode_colapse": {}}, UnknownNameError, "did you mean 'mode_collapse'"),
        ({"mode_collapse": {"varianc_ratio": 0.1}}, UnknownNameError, "did you mean 'variance_ratio'"),
        ({"mode_collapse": {"variance_ratio": "0.1"}}, UsageError, "expected a number"),
        ({"mode_collapse": {"variance_ratio": True}}, UsageError, "expected a number"),
        ({"mode_collapse": {"variance_ratio": float("nan")}}, UsageError, "expected a number"),
        ({"mode_collapse": {"variance_ratio": -1}}, UsageError, "expected 0 or more"),
        ({"mode_collapse": {"hold": 10.5}}, UsageError, "expected a whole number"),
        ({"losing_discriminator": {"auc": 1.5}}, UsageError, "expected 0 to 1"),
        ({"mode_collapse": 3}, UsageError, "expected fields and values, or false"),
        ({"mode_collapse": {}, "mode-collapse": {}}, UsageError, "twice"),
        ("mode_collapse", UsageError, "no mapping"),
        ({"imbalance": {"ratio": 10**400}}, UsageError, "imbalance.ratio is a whole number beyond 1e308"),
        ({"mode_collapse": {"hold": -(10**5000)}}, UsageError, "mode_collapse.hold is a whole number beyond 1e308"),
    ],
)
def test_what_cannot_be_used_is_refused(thresholds, error, text):
    with pytest.raises(error, match=text):
        Engine(thresholds)


def test_a_file(tmp_path):
    path = tmp_path / "thresholds.toml"
    path.write_text("imbalance = false\n[mode_collapse]\nvariance_ratio = 0.05\nhold = 200\n")
    values = read_thresholds(path)
    assert values == {"imbalance": False, "mode_collapse": {"variance_ratio": 0.05, "hold": 200}}
    assert settled(values)["mode_collapse"].hold == 200


@pytest.mark.parametrize(
    ("text", "error", "says"),
    [
        ("[mode_collapse]\nhold = -1\n", UsageError, "expected 0 or more"),
        ("[mode_colapse]\n", UnknownNameError, "did you mean"),
        ("[mode_collapse\n", InputError, "no TOML"),
        ("\xff", InputError, "no TOML|cannot be read"),
        ("# mode_collapse = false\n", InputError, "sets nothing"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path, text, error, says):
    path = tmp_path / "limits.toml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(error, match=says) as caught:
        read_thresholds(path)
    assert "limits.toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"none\.toml"):
        read_thresholds(tmp_path / "none.toml")


@pytest.mark.parametrize("kind", DETECTORS.names())
def test_every_field_says_what_it_is(kind):
    for field in dataclasses.fields(DETECTORS.load(kind).thresholds):
        about = field.metadata
        assert about["meaning"], field.name
        assert about["unit"], field.name
        assert about["source"], field.name
        assert about["low"] <= field.default <= about["high"], field.name


@pytest.mark.parametrize("kind", DETECTORS.names())
def test_the_pages_show_the_defaults(kind):
    text = (ROOT / "docs" / "alerts" / f"{kind}.md").read_text(encoding="utf-8")
    for field in dataclasses.fields(DETECTORS.load(kind).thresholds):
        row = f"| `{field.name}` | {field.default:g} | {field.metadata['unit']} | {field.metadata['meaning']} |"
        assert row in text, f"{field.name}: run python tools/write_alert_tables.py"
