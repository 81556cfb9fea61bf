from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from gate_cases import made_result, made_score

from gandiag import Result, read_history

EASY = '[[gate]]\nmetric = "fid"\nmax = 1000\n'
IMPOSSIBLE = '[[gate]]\nmetric = "fid"\nmax = 0\n'
FEW = ("--samples", 300)


@pytest.fixture
def write(tmp_path):
    """Write a text, or a Result, into a file."""

    def written(name: str, content: str | Result) -> Path:
        if isinstance(content, Result):
            content.save(tmp_path / name)
        else:
            (tmp_path / name).write_text(content, encoding="utf-8")
        return tmp_path / name

    return written


@pytest.fixture
def result(write):
    return write("result.json", made_result(fid=made_score(10.0)))


@pytest.mark.parametrize(("limit", "code", "word"), [(11, 0, "PASSED"), (9, 1, "FAILED"), (10.05, 4, "INCONCLUSIVE")])
def test_the_exit_code_is_the_verdict(gandiag_command, write, result, limit, code, word):
    policy = write("p.toml", f'[[gate]]\nmetric = "fid"\nmax = {limit}')
    finished = gandiag_command("gate", result, "--policy", policy)
    assert finished.code == code
    assert finished.out.startswith(f"{word}: model.pt against ring8, by p.toml")
    assert f"fid <= {limit}" in finished.out
    assert ("--escalate" in finished.err) == (code == 4)


def test_a_saved_result_loads_no_torch(write, result):
    import subprocess
    import sys

    policy = write("p.toml", EASY + '[[gate]]\nmetric = "fid"\nmax_regression = "5%"')
    words = ["gate", str(result), "--policy", str(policy), "--baseline", str(result)]
    program = f"from gandiag.cli.main import main\ntry: main({words!r})\nexcept SystemExit as end: assert not end.code"
    check = "\nimport sys; assert not {'torch', 'pandas', 'PIL'} & set(sys.modules)"
    finished = subprocess.run([sys.executable, "-c", program + check], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr


def test_a_source_is_scored_as_the_policy_says(gandiag_command, save_ring, write, tmp_path):
    policy = write("p.toml", f'against = "grid25"\nsamples = 300\n{EASY}[[gate]]\nmetric = "recall"\nmin = 0\n')
    finished = gandiag_command("gate", save_ring(), "--policy", policy, "--json", "-", "--record", tmp_path / "h")
    document = json.loads(finished.out)
    assert (finished.code, document["schema"], document["status"]) == (0, "gandiag.verdict/1", "passed")
    assert document["reference"]["name"] == "grid25"
    (record,) = read_history(tmp_path / "h")
    assert record.passed
    assert record.result.protocol["samples"] == 300
    assert {"fid", "recall"} <= set(record.result.scores)
    assert "modes" not in record.result.scores


def test_the_extractor_of_a_gate_is_scored(gandiag_command, save_ring, write):
    policy = write("p.toml", '[[gate]]\nmetric = "fid"\nextractor = "pixels"\nmax = 1000')
    finished = gandiag_command("gate", save_ring(), "--policy", policy, *FEW, "--json", "-")
    assert json.loads(finished.out)["outcomes"][0]["score"] == "fid@pixels"


def test_all_forms_are_written(gandiag_command, write, result, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    words = ("--junit", tmp_path / "j.xml", "--markdown", tmp_path / "m.md", "--json", tmp_path / "v.json")
    finished = gandiag_command("gate", result, "--policy", write("p.toml", IMPOSSIBLE), *words)
    assert finished.code == 1
    assert ElementTree.parse(tmp_path / "j.xml").getroot()[0].get("failures") == "1"
    assert "FAILED" in (tmp_path / "m.md").read_text(encoding="utf-8")
    assert "FAILED" in (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert json.loads((tmp_path / "v.json").read_text(encoding="utf-8"))["status"] == "failed"


def test_a_release_after_a_release(gandiag_command, save_ring, write, tmp_path):
    history = tmp_path / "releases"
    policy = write("p.toml", f'samples = 300\n{EASY}[[gate]]\nmetric = "recall"\nmax_regression = "5%"\n')
    words = ("--policy", policy, "--baseline", f"{history}@last-passed", "--record", history)
    first = gandiag_command("gate", "ring8", *words)
    assert (first.code, first.out) == (2, "")
    assert "there is no history" in first.err
    first = gandiag_command("gate", "ring8", *words, "--first-release")
    assert first.code == 0
    assert "taken as a first release" in first.err
    again = gandiag_command("gate", "ring8", *words, "--first-release")
    assert again.code == 0
    assert "first release" not in again.err
    assert "worse by 0" in again.out
    worse = gandiag_command("gate", save_ring(), *words)
    assert worse.code == 1
    records = read_history(history)
    assert [record.passed for record in records] == [True, True, False]


def test_a_baseline_of_another_protocol_is_refused(gandiag_command, refused, save_ring, write, tmp_path):
    policy = write("p.toml", '[[gate]]\nmetric = "fid"\nmax_regression = "5%"')
    gandiag_command("score", save_ring(), "--metric", "fid", *FEW, "--json", tmp_path / "old.json")
    words = ("gate", save_ring(), "--policy", policy, "--baseline", tmp_path / "old.json")
    assert "n_fake: 400, not 300" in refused(*words, "--samples", 400)
    finished = gandiag_command(*words)  # as many samples as the baseline has, where nobody says
    assert finished.code == 0


def test_how_to_score_is_refused_where_nothing_is_scored(gandiag_command, refused, write, result, tmp_path):
    policy = write("p.toml", EASY)
    options = (
        ("--against", "cifar10"),
        ("--samples", 50000),
        ("--metric", "kid"),
        ("--seed", 7),
        ("--inputs", tmp_path),
    )
    for words in (*options, ("--escalate",), ("--latent", 5)):
        said = refused("gate", result, "--policy", policy, *words)
        assert f"{words[0]} says how to score samples, and a saved Result has none" in said
        said = refused("gate", "--run", tmp_path, "--policy", policy, *words)
        assert f"{words[0]} says how to score samples, and there is no source" in said
    assert "--seed" in refused("gate", result, "--init", "--seed", 7)
    finished = gandiag_command("gate", result, "--policy", policy, "--no-cache", "--batch-size", 8)
    assert finished.code == 0, finished.err


def test_alerts_need_no_source(gandiag_command, refused, write, tmp_path):
    alert = {"kind": "mode_collapse", "severity": "critical", "step": 9, "since_step": 5, "message": "m"}
    lines = [
        {"schema": "gandiag.run/1", "created": "now"},
        {"step": 9, "alert": {**alert, "evidence": {}, "advice": []}},
    ]
    (tmp_path / "run").mkdir()
    write("run/run.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    policy = write("p.toml", '[[gate]]\nalert = "mode_collapse"\nmax_count = 0')
    finished = gandiag_command("gate", "--run", tmp_path / "run", "--policy", policy)
    assert finished.code == 1
    assert "step 9 (critical)" in finished.out
    assert "name it with --run" in refused("gate", "--policy", policy)
    said = refused("gate", "--run", tmp_path / "run", "--policy", policy, "--baseline", "old.json", "--first-release")
    assert "--baseline and --first-release go with a Result, and there is none" in said
    assert "does not exist" in refused("gate", "--run", tmp_path / "none", "--policy", policy)
    assert "needs no source" in refused("gate", "ring8", "--run", tmp_path / "run", "--policy", policy)


def test_escalating_takes_more_samples(gandiag_command, write):
    """1% beyond the limit is not seen in 300 samples, and is in 3,000 or so."""
    policy = write("p.toml", 'samples = 300\n[[gate]]\nmetric = "recall"\nmin = 0.9\n')
    plain = gandiag_command("gate", "ring8", "--policy", policy, "--json", "-")
    outcome = json.loads(plain.out)["outcomes"][0]
    if plain.code != 4:
        policy.write_text(policy.read_text().replace("0.9", str(outcome["interval"][0] + 0.02)))
    finished = gandiag_command("gate", "ring8", "--policy", policy, "--escalate", "--json", "-", "--max-samples", 3000)
    document = json.loads(finished.out)
    assert document["looks"] > 1
    assert 300 < document["outcomes"][0]["samples"] <= 3000
    assert document["confidence"] > 0.98


def test_init_writes_a_policy_that_the_result_passes(gandiag_command, save_ring, tmp_path):
    gandiag_command("score", save_ring(), "--metric", "fid,pr,modes", *FEW, "--json", tmp_path / "r.json")
    finished = gandiag_command("gate", tmp_path / "r.json", "--init", "--out", tmp_path / "p.toml")
    assert finished.code == 0, finished.err
    assert gandiag_command("gate", tmp_path / "r.json", "--policy", tmp_path / "p.toml").code == 0
    assert "[[gate]]" in gandiag_command("gate", save_ring(), "--init", "-m", "fid", *FEW).out


NONSENSE = {
    "missing.json": None,
    "empty.json": "",
    "list.json": "[]",
    "other.json": '{"schema": "gandiag.verdict/1"}',
    "nan.json": '{"schema": "gandiag.result/1", "scores": {"fid": {"value": NaN}}}',
    "deep.json": "[" * 100_000,
    "code.json": '{"schema": "gandiag.result/1", "scores": {"__class__": {"__reduce__": "os.system"}}}',
    "scores.json": '{"schema": "gandiag.result/1", "scores": 3}',
    "text.json": '{"schema": "gandiag.result/1", "scores": {"fid": {"value": "1"}}}',
}


@pytest.mark.parametrize("name", NONSENSE)
def test_a_result_that_is_none_is_one_line(refused, write, tmp_path, name):
    if NONSENSE[name] is not None:
        write(name, NONSENSE[name])
    refused("gate", tmp_path / name, "--policy", write("p.toml", EASY))
    refused("gate", tmp_path / name, "--init")


def test_hostile_values_inside_a_result_are_one_line(refused, write):
    policy = write("p.toml", EASY + '[[gate]]\nmetric = "fid"\nmax_regression = "5%"\n[[gate]]\nmissing_modes = 1')
    document = json.loads(made_result(fid=made_score(10.0), modes=made_score(8.0, params={"total": 8})).to_json())
    for path, value in (
        (("source",), 3),
        (("reference",), None),
        (("protocol",), "x"),
        (("scores", "fid", "params"), [1]),
        (("scores", "fid", "details"), "x"),
        (("scores", "fid", "details"), {"pairing": {"fake": 3}}),
        (("scores", "fid", "n_fake"), "many"),
        (("scores", "fid", "stderr"), -1.0),
        (("scores", "fid", "ci95"), [20.0, 5.0]),
        (("scores", "modes", "params"), {"total": "8"}),
    ):
        changed = json.loads(json.dumps(document))
        inner = changed
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        file = write("hostile.json", json.dumps(changed))
        refused("gate", file, "--policy", policy, "--baseline", file)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--policy is missing"),
        (("--init", "--policy", "p.toml"), "give one of them"),
        (("--policy", "p.toml", "--out", "x"), "--out goes with --init"),
        (("--policy", "p.toml", "--escalate"), "a saved Result has none"),
        (("--policy", "none.toml"), "cannot read the policy"),
        (("--policy", "p.toml", "--junit", "."), "it is a folder"),
        (("--policy", "p.toml", "--record", "p.toml"), "expected a folder"),
        (("--policy", "p.toml", "--baseline", "none@last"), "there is no history"),
        (("--policy", "p.toml", "--baseline", "none.json"), "cannot read the Result"),
        (("--policy", "p.toml", "--escalate", "--max-samples", "0"), "--max-samples"),
    ],
)
def test_words_that_do_not_go_together(refused, write, result, monkeypatch, tmp_path, words, says):
    monkeypatch.chdir(tmp_path)
    write("p.toml", EASY)
    assert says in refused("gate", result, *words)


VERDICT = ("--json", "--junit", "--markdown", "--record", "--baseline", "--run")


@pytest.mark.parametrize("option", VERDICT)
def test_init_takes_nothing_that_a_verdict_needs(refused, result, tmp_path, option):
    said = refused("gate", result, "--init", "--out", tmp_path / "p.toml", option, tmp_path / "x")
    assert f"{option} belongs to a verdict, and --init gives none; leave that out" in said
    assert sorted(tmp_path.iterdir()) == [result]


def test_flags_that_init_has_no_use_for(refused, result):
    said = refused("gate", result, "--init", "--first-release", "--json", "-")
    assert "--first-release and --json belong to a verdict" in said
    assert "--escalate belongs to a verdict" in refused("gate", "ring8", "--init", "--escalate")


def test_alerts_alone_are_not_recorded(refused, write, tmp_path):
    policy = write("p.toml", '[[gate]]\nalert = "mode_collapse"\nmax_count = 0')
    said = refused("gate", "--run", tmp_path / "run", "--policy", policy, "--record", tmp_path / "h")
    assert "--record goes with a Result, and there is none; name a source or a Result, or leave that out" in said
    assert not (tmp_path / "h").exists()


def test_max_samples_bounds_nothing_without_escalate(refused, write, result):
    policy = write("p.toml", EASY)
    said = refused("gate", "ring8", "--policy", policy, "--max-samples", 900)
    assert "--max-samples is a bound of --escalate; add --escalate, or leave that out" in said
    assert "a saved Result has none" in refused("gate", result, "--policy", policy, "--max-samples", 900)


def test_two_options_do_not_write_one_file(refused, write, result, tmp_path):
    policy = write("p.toml", EASY)
    for one, other in (("--json", "--junit"), ("--junit", "--markdown")):
        said = refused("gate", result, "--policy", policy, one, tmp_path / "out", other, tmp_path / "out")
        assert "two options write the file" in said
    assert not (tmp_path / "out").exists()


def test_a_bad_policy_is_found_before_anything_is_computed(refused, save_ring, write, monkeypatch):
    def scored(*_: object) -> None:
        raise AssertionError("it was scored")

    monkeypatch.setattr("gandiag.gates.scored.score", scored)
    assert "did you mean 'precision'?" in refused(
        "gate", save_ring(), "--policy", write("p.toml", '[[gate]]\nmetric = "precison"\nmin = 1')
    )
    policy = write("p.toml", '[[gate]]\nmetric = "fid"\nmax_regression = 0')
    assert "--baseline" in refused("gate", save_ring(), "--policy", policy)
    other = write("old.json", made_result(kid=made_score(1.0)))
    assert "the baseline has no 'fid'" in refused("gate", save_ring(), "--policy", policy, "--baseline", other)
    policy = write("p.toml", f"samples = 500\n{EASY}")
    assert "the policy asks for 500" in refused("gate", save_ring(), "--policy", policy, *FEW)
    policy = write("p.toml", f'against = "ring8"\n{EASY}')
    assert "asks for 'ring8'" in refused("gate", save_ring(), "--policy", policy, "--against", "grid25")


def test_hostile_names_do_nothing(gandiag_command, write, tmp_path):
    name = "\x1b[31m<script>|`$(touch x)`\n=cmd()"
    result = write("r.json", made_result(name=name, fid=made_score(10.0)))
    words = ("--junit", tmp_path / "j.xml", "--markdown", tmp_path / "m.md", "--record", tmp_path / "h")
    finished = gandiag_command("gate", result, "--policy", write("[bold]p.toml", IMPOSSIBLE), *words)
    assert finished.code == 1
    assert "\x1b" not in finished.out + finished.err
    assert "[bold]p.toml" in finished.out
    for file in ("j.xml", "m.md"):
        assert "<script" not in (tmp_path / file).read_text(encoding="utf-8")
    assert read_history(tmp_path / "h")[0].result.source["name"] == name


def test_the_help_says_the_exit_codes(gandiag_command):
    assert "4 inconclusive" in gandiag_command("gate", "--help").out
    assert "4 a gate is inconclusive" in " ".join(gandiag_command("--help").out.split())
