"""Thresholds: settable by mapping and by file, checked by name, type and range."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from signal_streams import after, run, stream

from gandiag.core.errors import InputError, UnknownNameError, UsageError
from gandiag.monitor.detectors import DETECTORS
from gandiag.monitor.detectors._seen import Seen
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


def lowest(kind):
    return {
        field.name: type(field.default)(field.metadata["low"])
        for field in dataclasses.fields(DETECTORS.load(kind).thresholds)
    }


ILL = {
    "healthy": None,
    "nothing": lambda step, signals: dict.fromkeys(signals, 0.0),
    "collapse": after(1500, variance_ratio=0.01, vendi_ratio=0.01, coverage=0.01, auc=0.999, real_confidence=1.0),
    "explosion": after(1500, generator_gradient_norm=1e9, discriminator_gradient_norm=1e9, score_magnitude=1e9),
    "gradient gone": after(1500, generator_gradient_norm=0.0, generator_gradient_zero=1.0),
    "gradient that comes": lambda step, signals: {"generator_gradient_norm": 0.0} if step % 1000 < 600 else {},
    "evaluations": lambda step, signals: {"quality_fid": float(step), "quality_fid_stderr": 0.1},
}


@pytest.mark.parametrize("change", ILL.values(), ids=ILL)
@pytest.mark.parametrize("kind", DETECTORS.names())
def test_the_least_values_in_range_can_be_used(kind, change):
    values = lowest(kind)
    records = stream(steps=3000, change=change)
    run(Engine({kind: values}), records)
    for name, value in values.items():
        run(Engine({other: other == kind and {name: value} for other in DETECTORS.names()}), records)


def test_the_least_values_of_all_kinds_can_be_used_together():
    run(Engine({kind: lowest(kind) for kind in DETECTORS.names()}), stream(change=after(1500, auc=0.0)))


def test_a_time_constant_of_0_takes_the_latest_value_alone():
    records = stream(steps=2000, change=lambda step, signals: {"auc": 0.8 if step % 1000 else 0.05})
    seen = Seen({"auc"})
    for record in records:
        seen.take(record)
    assert seen.mean("auc", 0) == 0.05
    assert seen.mean("auc", 100) > 0.3


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
