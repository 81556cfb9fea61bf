from __future__ import annotations

import json


def test_a_fault_and_its_control_give_rows_that_the_next_run_finds_again(benchmark, tmp_path, capsys):
    told = ["--only", "momentum", "--seeds", "1", "--minutes", "0.02"]
    told += ["--rows", str(tmp_path / "rows.jsonl"), "--out", str(tmp_path / "runs")]
    benchmark("faults").main(told)
    table = capsys.readouterr().out
    ill, control = (json.loads(line)["row"] for line in (tmp_path / "rows.jsonl").read_text().splitlines())
    assert (ill["fault"], control["fault"]) == ("momentum", None)
    assert 0 < ill["steps"] < 6000
    assert "`momentum`" in table
    benchmark("faults").main([*told, "--collect"])
    assert capsys.readouterr().out == table
