from __future__ import annotations

from dataclasses import replace

import pytest

from gandiag.comparison.given import Given, step_of


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("epoch=4-step=1000-fid=12.34.ckpt", 1000),
        ("step-1000-ema0.999.pt", 1000),
        ("G_step500_v2.pt", 500),
        ("Step_20.pt", 20),
        ("network-snapshot-000200.pt", 200),
        ("dcgan64-1500.pt", 1500),
        ("best.pt", None),
    ],
)
def test_the_step_in_the_name_of_a_checkpoint(result, name, step):
    assert step_of(Given(name, f"runs/v2/{name}"), result()) == step
    assert step_of(Given(name, f"runs/v2/{name}"), result(step=7)) == 7


@pytest.mark.parametrize(("name", "step"), [("fid-step-300-n2000.json", 300), ("result-2000.json", None)])
def test_a_number_in_the_name_of_a_saved_result_is_no_step(result, name, step):
    saved = replace(result(), source={"name": "model"})
    assert step_of(Given(saved, name), saved) == step
