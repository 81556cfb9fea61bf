"""The history: nothing recorded is lost, whatever happens to a job or to another record."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from gate_cases import made_policy, made_result, made_score

import gandiag
from gandiag.core.errors import InputError, MissingDataError
from gandiag.gates.gate import open_baseline
from gandiag.gates.history import find_record, read_history, record_run, trend, trend_rows

POLICY = made_policy('metric = "fid"\nmax = 10')


def record(folder, value, name="model.pt", **more):
    result = made_result(name=name, fid=made_score(value, **more))
    return record_run(folder, result, gandiag.gate(result, POLICY))


@pytest.fixture
def history(tmp_path):
    """Passed, failed, passed, inconclusive."""
    for value in (9.0, 11.0, 8.0, 10.0):
        record(tmp_path / "history", value)
    return tmp_path / "history"


def test_what_is_recorded_reads_back_in_order(history):
    records = read_history(history)
    assert [each.result["fid"].value for each in records] == [9.0, 11.0, 8.0, 10.0]
    assert [each.verdict.status for each in records] == ["passed", "failed", "passed", "inconclusive"]
    assert all(path.suffix == ".json" for path in history.iterdir())


def test_a_run_is_found_by_name_or_place(history):
    assert find_record(history, "last").result["fid"].value == 10.0
    assert find_record(history, "last-passed").result["fid"].value == 8.0
    name = read_history(history)[1].name
    assert open_baseline(f"{history}@{name}")["fid"].value == 11.0
    (history / f"{name}.json").rename(history / "v1.json")
    assert open_baseline(f"{history}@v1")["fid"].value == 11.0
    with pytest.raises(InputError, match="did you mean 'last-passed'"):
        open_baseline(f"{history}@last-pased")


def test_where_there_is_nothing_yet_that_is_said(tmp_path):
    with pytest.raises(MissingDataError, match="there is no history"):
        open_baseline(f"{tmp_path / 'none'}@last-passed")
    with pytest.raises(MissingDataError, match="holds no record"):
        find_record(tmp_path, "last")
    record(tmp_path, 11.0)
    with pytest.raises(MissingDataError, match="none of the 1 records"):
        find_record(tmp_path, "last-passed")
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="expected a folder"):
        record(tmp_path / "file", 1.0)


DAMAGE = {
    "cut": lambda text: text[:-100],
    "empty": lambda text: "",
    "value": lambda text: text.replace('"value": 8.0', '"value": 7.0', 1),
    "verdict": lambda text: text.replace('"failed"', '"passed"').replace('"inconclusive"', '"passed"'),
    "schema": lambda text: text.replace("gandiag.record/1", "gandiag.record/9"),
    "list": lambda text: "[]",
    "deep": lambda text: "[" * 100_000,
    "nan": lambda text: text.replace('"value": 8.0', '"value": NaN', 1),
    "binary": lambda text: "\udcff\x00",
    "code": lambda text: '{"schema": "gandiag.record/1", "__import__": "os"}',
    "huge": lambda text: text.replace("8.0", "8" * 10_000),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_record_is_named_and_skipped_and_the_rest_is_read(history, damage):
    path = sorted(history.iterdir())[2 if damage != "verdict" else 3]
    spoilt = DAMAGE[damage](path.read_text(encoding="utf-8"))
    path.write_bytes(spoilt.encode("utf-8", "surrogateescape"))
    warnings = []
    records = read_history(history, warnings.append)
    assert len(records) == 3
    assert len(warnings) == 1
    assert path.name in warnings[0]
    assert "\n" not in warnings[0]
    assert path.exists()


def test_other_files_are_no_records(history):
    (history / "README.md").touch()
    (history / ".half.json.part").write_text("{", encoding="utf-8")
    (history / ".half.json").write_text("{", encoding="utf-8")
    warnings = []
    assert len(read_history(history, warnings.append)) == 4
    assert not warnings


def test_two_histories_merge_by_copying(history, tmp_path):
    record(tmp_path / "other", 7.0)
    for path in (tmp_path / "other").iterdir():
        path.rename(history / path.name)
    assert len(read_history(history)) == 5
    assert find_record(history, "last-passed").result["fid"].value == 7.0


def test_many_jobs_at_once_lose_nothing(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda value: record(tmp_path, 5.0 + value / 100), range(40)))
    assert len(set(paths)) == 40
    assert sorted(each.result["fid"].value for each in read_history(tmp_path)) == [5.0 + n / 100 for n in range(40)]


RECORDING = """
import sys
from gandiag.core.result import Result
from gandiag.gates.history import record_run
result = Result.load(sys.argv[1])
print("ready", flush=True)
while True:
    record_run(sys.argv[2], result)
"""


def test_a_job_that_is_killed_while_recording_loses_no_earlier_record(history, tmp_path):
    details = {"numbers": list(range(20_000))}
    made_result(fid=made_score(1.0, details=details)).save(tmp_path / "result.json")
    before = {path.name: path.read_bytes() for path in history.iterdir()}
    for pause in (0.02, 0.05, 0.09):
        command = [sys.executable, "-c", RECORDING, str(tmp_path / "result.json"), str(history)]
        job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert job.stdout.readline() == "ready\n"
        time.sleep(pause)
        os.kill(job.pid, signal.SIGKILL)
        job.wait()
        job.stdout.close()
    warnings = []
    records = read_history(history, warnings.append)
    assert not warnings  # what was being written is not there, in no half
    assert {name: (history / name).read_bytes() for name in before} == before
    assert {each.name for each in records} >= {name.removesuffix(".json") for name in before}
    record(history, 6.0)
    assert find_record(history, "last").result["fid"].value == 6.0


def test_the_trend_says_where_the_protocol_changed(history):
    record(history, 3.0, fingerprint="e" * 64)
    points = trend(read_history(history), ["fid"])
    assert [point.value for point in points] == [9.0, 11.0, 8.0, 10.0, 3.0]
    assert [point.comparable for point in points] == [True, True, True, True, False]
    assert [point.verdict for point in points] == ["passed", "failed", "passed", "inconclusive", "passed"]
    assert json.loads(json.dumps(trend_rows(points)))[0]["source"] == "model.pt"
    assert trend(read_history(history), ["kid"]) == ()
