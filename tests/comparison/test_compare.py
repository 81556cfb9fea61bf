from __future__ import annotations

import csv
import io
import json
import subprocess
import sys

import pytest
import torch

import gandiag
from gandiag import Comparison, ImageSpec, InputError, Latent, UnknownNameError, UsageError
from gandiag.comparison.csv import HEADER


def test_the_best_is_ranked_first_and_near_ones_are_tied(result):
    table = gandiag.compare([result("a", fid=10.0), result("b", fid=10.0001), result("c", fid=30.0)])
    assert [table.row(name, "fid").rank for name in "abc"] == [1, 1, 3]
    assert table.row("a", "fid").best
    assert table.row("b", "fid").to_best.verdict == "cannot be told apart"
    worst = table.row("c", "fid").to_best
    assert (worst.to, worst.verdict, worst.method) == ("a", "worse", "paired")
    assert worst.difference == pytest.approx(20)


def test_the_baseline_is_what_others_are_held_against(result):
    table = gandiag.compare([result("a", recall=0.5), result("b", recall=0.9)], baseline=result("old", recall=0.7))
    assert table.baseline == "old"
    assert [table.row(name, "recall").to_baseline.verdict for name in "ab"] == ["worse", "better"]
    assert table.row("old", "recall").to_baseline is None


def test_p_values_are_corrected_over_the_table(result):
    models = [result(name, fid=10 + place, recall=0.5) for place, name in enumerate("abc")]
    pair = models[0], models[1]
    alone, among = (gandiag.compare(sources).row("b", "recall").to_best for sources in (pair, models))
    assert alone.p_value == among.p_value
    versus = [row.to_best for row in gandiag.compare(models).rows if row.to_best is not None]
    assert all(each.p_adjusted >= each.p_value for each in versus)


def test_other_protocols_are_not_mixed_and_the_fields_are_named(result):
    table = gandiag.compare([result("a", fid=1.0), result("b", fid=2.0), result("c", fid=0.5, n_fake=500)])
    row = table.row("c", "fid")
    assert (row.status, row.rank, row.differs) == ("not comparable", None, ("n_fake: 500, not 2000",))
    assert table.row("a", "fid").best


def test_the_baselines_protocol_rules(result):
    odd = result("c", fid=0.5, n_fake=500)
    table = gandiag.compare([result("a", fid=1.0), result("b", fid=2.0), odd], baseline=odd)
    assert [table.row(name, "fid").status for name in "abc"] == ["not comparable", "not comparable", "ok"]


def test_missing_and_undefined_scores(result):
    empty = result("b", fid=1.0)
    undefined = gandiag.undefined("too few", better="lower", n_real=2000, n_fake=2000)
    object.__setattr__(undefined, "fingerprint", empty.scores["fid"].fingerprint)
    empty.scores["fid"] = undefined
    table = gandiag.compare([result("a", fid=1.0, recall=0.3), empty])
    assert table.row("b", "fid").status == "undefined"
    assert table.row("b", "recall").status == "missing"
    assert table.row("a", "fid").rank == 1


def test_a_source_twice_and_a_single_one(result):
    one = result("a", fid=1.0)
    table = gandiag.compare([one, one])
    assert table.sources == ("a", "a (2)")
    assert table.row("a (2)", "fid").to_best.p_value == 1
    assert gandiag.compare(one).row("a", "fid").rank == 1
    with pytest.raises(UsageError, match="nothing to compare"):
        gandiag.compare([])


def test_saved_and_fresh_ones_are_compared_alike(save_ring, tmp_path):
    save_ring("one.pt")
    options = {"metrics": ["fid", "modes"], "samples": 200}
    gandiag.score(tmp_path / "one.pt", **options).save(tmp_path / "one.json")
    other = gandiag.load_dataset("ring8", seed=4).read(0, 200)
    fresh = gandiag.compare([tmp_path / "one.pt", other], against="ring8", **options)
    mixed = gandiag.compare([tmp_path / "one.json", other], against="ring8", **options)
    for one, two in zip(fresh.rows, mixed.rows, strict=True):
        assert (one.value, one.rank, one.to_best) == (two.value, two.rank, two.to_best)
    assert fresh.row(fresh.sources[0], "fid").to_best.method == "paired"


def test_the_reference_is_looked_at_once(save_ring, tmp_path, monkeypatch):
    from gandiag.evaluation import extract

    read, original = [], extract.extract

    def count(source, tasks, samples, **options):
        read.append(source.info.name)
        return original(source, tasks, samples, **options)

    monkeypatch.setattr("gandiag.evaluation.kept.extract", count)
    paths = [save_ring(f"{name}.pt") for name in "abc"]
    gandiag.compare(paths, "fid", samples=100)
    assert read.count("ring8") == 1
    assert len(read) == 4


def test_all_give_as_many_samples_as_the_smallest_has(normal):
    table = gandiag.compare([normal(300, 2).float(), normal(200, 2).float()], "fid", against="ring8")
    assert {entry.result["fid"].n_fake for entry in table.entries} == {200}
    assert any("200 samples are taken of each" in warning for warning in table.warnings)


def test_a_source_that_cannot_be_opened_ends_it_before_the_work(save_ring, monkeypatch):
    monkeypatch.setattr("gandiag.evaluation.scorer.Scorer.score", lambda *_, **__: pytest.fail("work began"))
    with pytest.raises(InputError, match="nowhere"):
        gandiag.compare([save_ring(), "nowhere.pt"], "fid", samples=100)
    with pytest.raises(UnknownNameError, match="did you mean 'fid'"):
        gandiag.compare([save_ring()], "fid", samples=100, best_by="fidd")


def test_a_source_that_fails_does_not_lose_the_others(ring_network):
    def breaks(noise):
        return noise[:, :2] if len(noise) <= 16 else noise[:, :3]

    options = {"latent": Latent(4), "image": ImageSpec((2,), None), "against": "ring8", "samples": 300}
    table = gandiag.compare([ring_network, lambda noise: noise[:, :2], breaks], "fid", batch_size=100, **options)
    assert len(table.entries) == 2
    (failure,) = table.failures
    assert (failure.source, "shape" in failure.reason) == ("breaks", True)


def test_everything_survives_json(result):
    table = gandiag.compare(
        [result("a", fid=1.0, recall=0.3), result("b", fid=2.0, n_fake=7)], baseline=result("c", fid=1.5)
    )
    again = Comparison.from_json(table.to_json())
    assert again == table


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schema": "gandiag.comparison/1"}', '{"schema": "gandiag.result/1"}']
)
def test_other_documents_are_refused(text):
    with pytest.raises(InputError, match="not a Comparison"):
        Comparison.from_json(text)


def test_csv_is_tidy_and_runs_nothing(result):
    pandas = pytest.importorskip("pandas")
    names = ["=1+1", "@sum", 'a,"b"\n c', "+plus", "-minus", "\tTab"]
    table = gandiag.compare([result(name, fid=float(place), recall=-0.5) for place, name in enumerate(names)])
    frame = pandas.read_csv(io.StringIO(table.to_csv()))
    assert tuple(frame.columns) == HEADER
    assert len(frame) == 2 * len(names)
    assert not frame["source"].str.match(r"[=+\-@\t\r]").any()
    assert frame["value"].dtype == float
    assert all(len(row) == len(HEADER) for row in csv.reader(io.StringIO(table.to_csv())))


def test_markdown_takes_names_as_they_stand(result):
    text = gandiag.compare([result("<script>|`x`", fid=1.0), result("b", fid=9.0)]).to_markdown()
    assert "<script>" not in text
    header = next(line for line in text.splitlines() if line.startswith("| score"))
    assert header.replace("\\|", "").count("|") == 4
    assert "worse" in text


def test_ten_results_are_compared_without_torch(result, tmp_path):
    for place in range(10):
        result(f"m{place}", fid=10.0 + place, kid=0.1, recall=0.5, precision=0.5, coverage=0.5).save(
            tmp_path / f"{place}.json"
        )
    code = (
        "import sys, time, gandiag; start = time.perf_counter(); "
        f"gandiag.compare([{str(tmp_path)!r}]).to_csv(); "
        "assert 'torch' not in sys.modules; print(time.perf_counter() - start)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout) < 10


def test_scores_of_saved_results_are_chosen_by_metric(result):
    table = gandiag.compare([result("a", fid=1.0, recall=0.3)], "fid")
    assert table.scores == ("fid",)
    with pytest.raises(InputError, match="none of kid"):
        gandiag.compare([result("a", fid=1.0)], "kid")


def test_a_sweep_names_the_best_checkpoint_and_where_coverage_fell(result, tmp_path):
    course = [(100, 9.0, 0.2), (200, 4.0, 0.8), (900, 5.0, 0.8), (1000, 3.0, 0.3)]
    for step, fid, coverage in course:
        result("run", step=step, fid=fid, coverage=coverage).save(tmp_path / f"{step}.json")
    (sweep,) = gandiag.compare([tmp_path]).sweeps
    assert sweep.steps == (100, 200, 900, 1000)
    assert (sweep.best_by, sweep.best) == ("fid", str(tmp_path / "1000.json"))
    (fall,) = sweep.falls
    assert (fall.score, fall.step, fall.best_step) == ("coverage", 1000, 200)
    assert gandiag.compare([tmp_path], best_by="coverage").sweeps[0].best == str(tmp_path / "200.json")
    assert gandiag.compare([str(tmp_path / "*00.json")]).sweeps[0].steps == sweep.steps


def test_checkpoints_of_a_folder_are_a_sweep(save_ring, tmp_path):
    folder = tmp_path / "run"
    for step in (20, 100):
        save_ring(f"run/ring-{step}.pt", step=step)
    (sweep,) = gandiag.compare([folder], "fid", samples=100).sweeps
    assert sweep.steps == (20, 100)
    with pytest.raises(InputError, match="no file is found"):
        gandiag.compare([str(folder / "*.none")])


def test_malformed_evidence_names_the_file(result, tmp_path):
    bad = json.loads(result("a", fid=1.0).to_json())
    bad["scores"]["fid"]["details"]["pairing"] = {"fake": 3}
    (tmp_path / "bad.json").write_text(json.dumps(bad))
    with pytest.raises(InputError, match=r"bad.json.*pairing is malformed"):
        gandiag.compare([tmp_path / "bad.json"])


def test_the_features_of_points_are_the_same_for_two_models_of_one_noise(ring_network):
    """Common random numbers: the same network twice has no difference at all."""
    options = {"latent": Latent(4), "image": ImageSpec((2,), None), "against": "ring8", "samples": 200}
    table = gandiag.compare([ring_network, torch.nn.Sequential(ring_network)], "fid", **options)
    versus = [row.to_best for row in table.rows_of("fid") if row.to_best is not None]
    assert [(each.difference, each.p_value) for each in versus] == [(0, 1)]
