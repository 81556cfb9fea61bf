from __future__ import annotations

import json

import pytest


@pytest.mark.parametrize(
    ("recipe", "dataset", "scores"),
    [
        ("vanilla", "ring8", {"modes", "high_quality", "fid", "recall"}),
        ("cgan", "mnist", {"modes", "mode_kl", "fid", "recall", "confidence", "label_accuracy"}),
        ("srgan", "mnist", {"psnr", "psnr_bicubic", "ssim", "ssim_bicubic", "fid", "fid_bicubic"}),
        ("cyclegan", "mnist", {"cycle_error", "label_kept"}),
    ],
)
def test_a_run_gives_a_row_that_the_next_one_finds_again(
    benchmark, tmp_path, monkeypatch, capsys, recipe, dataset, scores
):
    recipes = benchmark("recipes")
    monkeypatch.setattr(recipes, "FEWEST", 2)
    told = ["--only", recipe, "--data", dataset, "--seeds", "1", "--minutes", "1e-6", "--samples", "300"]
    told += ["--rows", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "runs")]
    recipes.main(told)
    table = capsys.readouterr().out
    (line,) = (tmp_path / "rows.jsonl").read_text().splitlines()
    row = json.loads(line)["row"]
    assert row["steps"] == 2
    assert scores <= set(row["scores"])
    assert f"| `{recipe}` | 1 | 2 |" in table
    recipes.main([*told, "--collect"])
    assert capsys.readouterr().out == table
