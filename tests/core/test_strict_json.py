from __future__ import annotations

import json

import pytest

from gandiag.core.strict_json import parse_json


@pytest.mark.parametrize("text", ['{"a": [1, -2.5e-3, true, null, "1e999"]}', b'"NaN"', "1e308", "[]"])
def test_json_is_read_as_python_reads_it(text):
    assert parse_json(text) == json.loads(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[NaN]", "NaN is no JSON"),
        ("-Infinity", "-Infinity is no JSON"),
        ('{"a": 1e999}', "1e999 is too large"),
        ("-1" + "0" * 400 + ".5", "is too large"),
        ("[" * 100_000, "nested too deeply"),
        ("{", "Expecting"),
        (b"\xff", "utf-8"),
    ],
)
def test_what_could_not_be_written_again_is_refused(text, said):
    with pytest.raises(ValueError, match=said) as caught:
        parse_json(text)
    assert len(str(caught.value)) < 200


def test_a_number_too_small_is_zero():
    assert parse_json("[1e-999, 0.0]") == [0, 0]
