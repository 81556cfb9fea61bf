from __future__ import annotations

import json
import math

import pytest

from gandiag.core.errors import InputError, InternalError
from gandiag.core.result import Result
from gandiag.core.score import Score, measured, undefined


def score(value=1.0, **changes):
    fields = {"stderr": 0.5, "error_method": "influence", "better": "lower", "n_real": 10, "n_fake": 12}
    return measured(value, **(fields | changes))


def result(**changes):
    scores = {"fid": score(details={"dimension": 3}), "kid": undefined("too few", better="lower", n_real=1, n_fake=1)}
    fields = {
        "created": "2025-01-01T00:00:00+00:00",
        "source": {"name": "a \u00e9 \n b", "path": None},
        "reference": {"name": "mnist", "samples": 10},
        "protocol": {"samples": 10, "seed": 0},
        "scores": scores,
        "warnings": ("one", "two"),
        "environment": {"torch": "2"},
        "timing": {"all": 1.5},
    }
    return Result(**(fields | changes))


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, -1e151])
@pytest.mark.parametrize("field", ["value", "stderr", "interval"])
def test_a_score_refuses_numbers_that_are_not_finite(number, field):
    changes = {"interval": (0.0, number)} if field == "interval" else {field: number}
    if field == "stderr":
        changes["interval"] = (0.0, 1.0)
    with pytest.raises(InternalError, match="finite"):
        score(**changes)


@pytest.mark.parametrize(("value", "status"), [(None, "ok"), (None, "unreliable"), (1.0, "undefined")])
def test_a_score_without_a_value_is_undefined_and_no_other(value, status):
    with pytest.raises(InternalError, match="undefined"):
        Score(value, status, "reason", None, None, None, None, 1, 1)


def test_the_interval_is_1_96_standard_errors_cut_to_the_limits():
    assert score(1.0, stderr=0.1).ci95 == pytest.approx((1 - 0.195996, 1 + 0.195996), abs=1e-6)
    assert score(0.1, stderr=0.1, limits=(0.0, 0.2)).ci95 == (0.0, 0.2)
    assert score(1.0, stderr=None).ci95 is None


def test_a_result_survives_the_round_trip_through_a_file(tmp_path):
    result().save(tmp_path / "r.json")
    loaded = Result.load(tmp_path / "r.json")
    assert loaded == result()
    assert loaded["fid"].ci95 == result()["fid"].ci95
    assert isinstance(loaded["fid"].ci95, tuple)


def test_the_json_is_strict_and_names_its_schema():
    document = json.loads(result().to_json(), parse_constant=pytest.fail)
    assert document["schema"] == "gandiag.result/1"
    assert document["scores"]["kid"]["value"] is None
    assert result().to_json().isascii()


def test_not_a_number_is_not_written():
    with pytest.raises(ValueError, match="JSON compliant"):
        result(timing={"all": math.nan}).to_json()


def edited(path, value):
    document = json.loads(result().to_json())
    target = document
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return json.dumps(document)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        "3",
        "{}",
        "[" * 100_000,
        '{"schema": "gandiag.result/2"}',
        '{"schema": ["gandiag.result/1"]}',
        '{"schema": "gandiag.result/1"}',
        '{"schema": "gandiag.result/1", "scores": null}',
        edited(["surprise"], 1),
        edited(["scores"], []),
        edited(["scores", "fid"], 3),
        edited(["scores", "fid", "surprise"], 3),
        edited(["scores", "fid", "value"], "NaN"),
        edited(["scores", "fid", "value"], math.nan),
        edited(["scores", "fid", "value"], None),
        edited(["scores", "fid", "value"], 10**400),
        edited(["scores", "fid", "stderr"], 12345).replace("12345", "1e999"),
        edited(["scores", "fid", "ci95"], []),
        edited(["scores", "fid", "ci95"], [1.0]),
        edited(["scores", "fid", "ci95"], {"low": 1}),
        edited(["scores", "fid", "ci95"], ["a", "b"]),
        edited(["scores", "fid", "status"], "splendid"),
        edited(["scores", "fid", "value"], 1.7e308),
        edited(["scores", "fid", "details"], 12345).replace("12345", '{"a": 1e999}'),
        edited(["timing", "all"], 12345).replace("12345", "-1e999"),
    ],
    ids=range(28),
)
def test_what_is_no_result_is_an_input_error(tmp_path, text):
    with pytest.raises(InputError, match="not a Result"):
        Result.from_json(text)
    (tmp_path / "bad.json").write_text(text)
    with pytest.raises(InputError, match=r"bad\.json"):
        Result.load(tmp_path / "bad.json")


@pytest.mark.parametrize(
    ("name", "said"), [("missing.json", "cannot read"), (".", "cannot read"), ("binary.json", "not UTF-8")]
)
def test_a_file_that_cannot_be_read_is_an_input_error(tmp_path, name, said):
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=said):
        Result.load(tmp_path / name)


def test_lists_of_numbers_are_on_one_line_and_texts_are_left_alone():
    details = {"counts": [1, -2.5, 3e-09], "names": ["[ 1,  2 ]"], "none": [], "mixed": [1, None]}
    made = result(scores={"fid": score(details=details)})
    text = made.to_json()
    assert '"counts": [1, -2.5, 3e-09]' in text
    assert '"[ 1,  2 ]"' in text
    assert Result.from_json(text) == made
