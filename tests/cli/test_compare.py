from __future__ import annotations

import json

import pytest

import gandiag
from gandiag import Comparison

FAST = ("--metric", "fid,modes", "--samples", 200)


@pytest.fixture
def saved(save_ring, tmp_path):
    """Two saved Results of one checkpoint, by different seeds."""
    paths = []
    for seed in (0, 1):
        paths.append(tmp_path / f"result-{seed}.json")
        gandiag.score(save_ring(), ["fid", "modes"], samples=200, seed=seed).save(paths[-1])
    return paths


def test_checkpoints_are_scored_and_compared(gandiag_command, save_ring):
    finished = gandiag_command("compare", save_ring("a.pt"), save_ring("b.pt"), *FAST)
    assert finished.code == 0, finished.err
    for word in ("a.pt", "b.pt", "fid_infinity", "modes", "rank", "tied", "less the best"):
        assert word in finished.out


@pytest.mark.parametrize("width", [80, 120])
def test_the_table_fits_the_width(gandiag_command, saved, monkeypatch, width):
    monkeypatch.setenv("COLUMNS", str(width))
    finished = gandiag_command("compare", *saved)
    assert finished.code == 0
    table = finished.out.split("score", 1)[1].splitlines()
    assert max(map(len, table)) <= width
    assert "…" not in "".join(table)


def test_every_file_is_written(gandiag_command, saved, tmp_path):
    out = {name: tmp_path / "out" / f"table.{name}" for name in ("csv", "json", "markdown")}
    options = [word for name, path in out.items() for word in (f"--{name}", path)]
    finished = gandiag_command("compare", *saved, "--baseline", saved[0], *options)
    assert finished.code == 0, finished.err
    assert Comparison.load(out["json"]).baseline is not None
    assert out["csv"].read_text().startswith("source,run,step,score,value")
    assert out["markdown"].read_text().startswith("## Comparison")
    assert "less the baseline" in finished.out


def test_json_to_stdout_is_one_document(gandiag_command, saved):
    finished = gandiag_command("compare", *saved, "--json", "-")
    assert json.loads(finished.out)["schema"] == "gandiag.comparison/1"


def test_other_sample_counts_are_said_on_stderr(gandiag_command, saved, save_ring, tmp_path):
    gandiag.score(save_ring(), ["fid"], samples=100).save(tmp_path / "few.json")
    finished = gandiag_command("compare", *saved, tmp_path / "few.json")
    assert finished.code == 0
    assert "not comparable" in finished.out
    assert "n_fake: 100, not 200" in finished.err


def test_one_that_fails_ends_with_code_2_after_the_others(gandiag_command, save_ring, monkeypatch, tmp_path):
    from gandiag.evaluation.scorer import Scorer

    original = Scorer.score

    def score(self, opened, **options):
        if opened.fake.info.name.endswith("b.pt"):
            raise gandiag.InputError("it broke")
        return original(self, opened, **options)

    monkeypatch.setattr(Scorer, "score", score)
    paths = [save_ring(f"{name}.pt") for name in "abc"]
    finished = gandiag_command("compare", *paths, *FAST, "--csv", tmp_path / "t.csv")
    assert finished.code == 2
    assert "it broke" in finished.err
    assert "c.pt" in finished.out
    assert (tmp_path / "t.csv").exists()


def test_bad_input_is_one_line(refused, saved, tmp_path):
    assert "nowhere" in refused("compare", saved[0], tmp_path / "nowhere.json")
    assert "did you mean 'fid'" in refused("compare", *saved, "--best-by", "fidd")
    assert "two options" in refused("compare", *saved, "--csv", tmp_path / "x", "--markdown", tmp_path / "x")
    (tmp_path / "bad.json").write_text("{")
    assert "bad.json" in refused("compare", saved[0], tmp_path / "bad.json")
    refused("compare")


def test_how_to_score_is_refused_where_all_is_saved(gandiag_command, refused, saved, save_ring, tmp_path, monkeypatch):
    for words in (
        ("--against", "cifar10"),
        ("--samples", 50000),
        ("--seed", 0),
        ("--latent", 5),
        ("--preprocessing", "clean"),
    ):
        said = refused("compare", *saved, *words)
        assert f"{words[0]} says how to score samples, and saved Results have none" in said
    assert "--seed and --like say how" in refused("compare", *saved, "--seed", 3, "--like", "prdc")
    assert "--samples" in refused("compare", *saved, "--pictures", "--html", tmp_path / "x.html", "--samples", 9)
    monkeypatch.setenv("GANDIAG_DATA_ROOT", str(tmp_path))  # meant for all commands, and not for this one
    finished = gandiag_command("compare", *saved, "--metric", "fid", "--no-cache", "--device", "cpu")
    assert finished.code == 0, finished.err
    finished = gandiag_command("compare", saved[0], save_ring(), *FAST, "--seed", 3)
    assert finished.code == 0, finished.err


def test_pictures_are_of_a_report(gandiag_command, refused, saved):
    said = refused("compare", *saved, "--pictures")
    assert "--pictures are a part of the report; add --html FILE, or leave that out" in said
    assert gandiag_command("compare", *saved, "--no-pictures").code == 0


def test_a_history_is_a_sweep_of_releases(gandiag_command, refused, saved, tmp_path):
    from gandiag.core.result import Result
    from gandiag.gates.history import record_run

    assert "no history" in refused("compare", "--history", tmp_path / "none")
    history = tmp_path / "releases"
    for path in saved:
        record_run(history, Result.load(path))
    (history / "broken.json").write_text("{")
    page, out = tmp_path / "trend.html", tmp_path / "trend.json"
    finished = gandiag_command("compare", "--history", history, "--html", page, "--json", out)
    assert finished.code == 0, finished.err
    assert "broken.json" in finished.err
    (sweep,) = Comparison.load(out).sweeps
    assert (sweep.unit, sweep.steps) == ("release", (1, 2))
    assert "fid over releases" in page.read_text()
    more = gandiag_command("compare", saved[0], "--history", history)
    assert more.code == 0, more.err
    assert "nothing to compare" in refused("compare")


def test_the_name_of_a_score_does_nothing_to_the_terminal(gandiag_command, saved):
    document = json.loads(saved[0].read_text(encoding="utf-8"))
    document["scores"] = {"\x1b[31m": document["scores"]["fid"]}
    saved[0].write_text(json.dumps(document), encoding="utf-8")
    finished = gandiag_command("compare", saved[0], saved[0])
    assert finished.code == 0, finished.err
    assert "\x1b" not in finished.out + finished.err
    assert "\\x1b[31m" in finished.out
