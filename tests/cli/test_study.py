"""`gandiag study` as a user types it."""

from __future__ import annotations

import json

import pytest

from gandiag.core.result import Result


@pytest.fixture
def page(gandiag_command, tmp_path):
    path = tmp_path / "study.html"
    words = ("mnist:test", "--against", "mnist:train", "--out", path, "--trials", 6, "--catch", 2)
    made = gandiag_command("study", "make", *words)
    assert made.code == 0, made.err
    assert "8 trials" in made.err
    return path


def answers_to(page, path):
    data = json.loads(page.read_text().partition('id="data">')[2].partition("</script>")[0])
    trials = [{"trial": trial["id"], "answer": "fake", "milliseconds": 800} for trial in data["trials"]]
    import base64

    document = {
        "schema": "gandiag.answers/1",
        "study": data["study"],
        "rater": "ann",
        "trials": trials,
        "key": json.loads(base64.b64decode(data["key"])),
    }
    path.write_text(json.dumps(document))
    return path


def test_answers_become_results(gandiag_command, page, tmp_path):
    answers = answers_to(page, tmp_path / "answers.json")
    read = gandiag_command("study", "read", answers, "--results", tmp_path / "results", "--json", "-")
    assert read.code == 0, read.err
    document = json.loads(read.out)
    assert document["question"] == "real-or-fake"
    (path,) = (tmp_path / "results").iterdir()
    score = Result.load(path)["fooling_rate"]
    assert (score.value, score.n_fake, score.n_real) == (0.0, 3, 3)
    assert score.ci95[1] > 0.5  # three answers say little
    table = gandiag_command("study", "read", answers)
    assert "fooling_rate" in table.out
    assert "ann" in table.out


def test_bad_words_are_refused(refused, page, tmp_path):
    assert "no such file" in refused("study", "read", tmp_path / "none.json").lower()
    assert "no file of answers" in refused("study", "read", page)
    assert "two sources" in refused("study", "make", "mnist", "--question", "a-or-b", "--out", tmp_path / "s.html")
    assert "points" in refused("study", "make", "ring8", "--against", "ring8", "--out", tmp_path / "s.html")
