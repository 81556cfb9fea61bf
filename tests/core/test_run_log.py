from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import tracemalloc

import pytest

from gandiag.core.alert import Alert
from gandiag.core.errors import InputError
from gandiag.core.run_log import LONGEST_LINE, MOST_BYTES, SCHEMA, GrowingLog, as_logged, read_run_log
from gandiag.core.signals import Record
from gandiag.monitor.sinks.jsonl import RunLogWriter

HEADER = json.dumps({"schema": SCHEMA, "created": "2026-01-01T00:00:00+00:00"})
ALERT = Alert("mode_collapse", "warning", 100, 50, "the fakes are alike", {"variance_ratio": 0.01}, ("look", "wait"))


def line(step: int, **signals: float) -> str:
    return json.dumps({"step": step, "time": step / 10, "signals": signals})


def altered(**changes) -> str:
    return json.dumps({"step": 1, "alert": {**ALERT.to_dict(), **changes}})


@pytest.fixture
def write(tmp_path):
    def write(*lines: str | bytes, end: str = "\n"):
        path = tmp_path / "run.jsonl"
        parts = [part if isinstance(part, bytes) else part.encode() for part in lines]
        path.write_bytes(b"\n".join(parts) + end.encode())
        return path

    return write


def test_what_is_written_by_hand_is_read(write):
    path = write(
        HEADER,
        line(50, auc=0.8),
        '{"step": 60, "note": "hello"}',
        json.dumps({"step": 100, "alert": ALERT.to_dict()}),
        line(100, auc=1),
    )
    log = read_run_log(path)
    assert log == read_run_log(path.parent)
    assert log.header["schema"] == SCHEMA
    assert log.records == (Record(50, 5.0, {"auc": 0.8}), Record(100, 10.0, {"auc": 1.0}))
    assert log.alerts == (ALERT,)
    assert log.notes == ((60, "hello"),)


def test_what_is_written_is_read_again(tmp_path):
    records = [
        as_logged(Record(step, step / 7, {"auc": 1 / step, "generator_steps": 12345678.0, "generator_loss@A": -0.0}))
        for step in (50, 100, 150)
    ]
    writer = RunLogWriter(tmp_path, {"players": {"generator": ["G"]}})
    for record in records:
        writer.record(record)
    writer.alert(ALERT)
    writer.note(150, "a\nb")
    writer.close()
    log = read_run_log(tmp_path)
    assert [repr(record) for record in log.records] == [repr(record) for record in records]
    assert log.alerts == (ALERT,)
    assert log.notes == ((150, "a\nb"),)
    assert log.header["players"] == {"generator": ["G"]}


def test_what_the_log_keeps_of_a_value():
    kept = as_logged(Record(1, 1.23456, {"a": 1 / 3, "b": 123456789.0, "c": float("nan"), "d": 1e-310, "e": -2e300}))
    assert kept.time == 1.235
    assert kept.signals == {"a": 0.3333333, "b": 123456789.0, "d": 1e-310, "e": -2e300}
    assert as_logged(kept) == kept


def test_a_resumption_takes_out_what_it_undid(write):
    late = Alert("mode_collapse", "warning", 400, 350, "late")
    path = write(
        HEADER,
        line(100, auc=0.1),
        line(200, auc=0.2),
        line(300, auc=0.3),
        json.dumps({"step": 100, "alert": ALERT.to_dict()}),
        json.dumps({"step": 400, "alert": late.to_dict()}),
        '{"step": 350, "note": "undone"}',
        '{"step": 200, "time": 20, "resumed": true}',
        line(300, auc=0.9),
    )
    log = read_run_log(path)
    assert [(record.step, record.signals["auc"]) for record in log.records] == [(100, 0.1), (200, 0.2), (300, 0.9)]
    assert log.alerts == (ALERT,)
    assert log.notes == ()


@pytest.mark.parametrize("cut", range(1, len(line(100, auc=0.25))))
def test_a_last_line_cut_anywhere_is_left_out(write, cut):
    whole = line(100, auc=0.25)
    log = read_run_log(write(HEADER, line(50, auc=0.5), whole[:cut], end=""))
    assert [record.step for record in log.records] == [50]


def test_a_last_line_that_lacks_only_its_end_counts(write):
    assert [record.step for record in read_run_log(write(HEADER, line(50, auc=0.5), end="")).records] == [50]


def test_kinds_and_keys_of_a_newer_version_are_passed_over(write):
    newer = {"step": 100, "alert": {**ALERT.to_dict(), "picture": "x.png"}}
    path = write(
        HEADER, '{"weather": "fine"}', '{"step": 5, "checkpoint": "a.pt"}', line(50, auc=0.5), json.dumps(newer)
    )
    log = read_run_log(path)
    assert len(log.records) == 1
    assert log.alerts == (ALERT,)


HOSTILE = {
    "empty": b"",
    "blank": b"\n\n",
    "no header": line(50, auc=0.5).encode() + b"\n",
    "other schema": b'{"schema": "gandiag.run/2"}\n',
    "foreign schema": b'{"schema": "gandiag.result/1"}\n',
    "schema is a list": b'{"schema": ["gandiag.run/1"]}\n',
    "a header cut short": HEADER[:30].encode(),
    "binary": bytes(range(256)) * 40,
    "zip": b"PK\x03\x04" + bytes(100) + b"\n",
    "UTF-16": HEADER.encode("utf-16") + b"\n",
    "two headers": f"{HEADER}\n{HEADER}\n".encode(),
    "not UTF-8": f"{HEADER}\n".encode() + b'{"step": 1, "note": "\xff\xfe"}\n' + line(50, auc=1).encode() + b"\n",
    "a damaged line": f'{HEADER}\n{{"step": 50, "sig\n{line(100, auc=1)}\n'.encode(),
    "a blank line": f"{HEADER}\n\n{line(100, auc=1)}\n".encode(),
    "a list": f"{HEADER}\n[1, 2]\n{line(100, auc=1)}\n".encode(),
    "NaN": f'{HEADER}\n{{"step": 50, "time": 1, "signals": {{"auc": NaN}}}}\n{line(100, auc=1)}\n'.encode(),
    "Infinity": f'{HEADER}\n{{"step": 50, "time": Infinity, "signals": {{}}}}\n'.encode(),
    "too large a float": f'{HEADER}\n{{"step": 50, "time": 1, "signals": {{"auc": 1e999}}}}\n'.encode(),
    "too large an integer": f'{HEADER}\n{{"step": 50, "time": 1, "signals": {{"auc": 1{"0" * 400}}}}}\n'.encode(),
    "an endless integer": f'{HEADER}\n{{"step": 50, "time": 1, "signals": {{"auc": {"9" * 5000}}}}}\n'.encode(),
    "a huge step": f'{HEADER}\n{{"step": {"9" * 300}, "time": 1, "signals": {{}}}}\n'.encode(),
    "a negative step": f'{HEADER}\n{{"step": -1, "time": 1, "signals": {{}}}}\n'.encode(),
    "a step of true": f'{HEADER}\n{{"step": true, "time": 1, "signals": {{}}}}\n'.encode(),
    "a step of text": f'{HEADER}\n{{"step": "50", "time": 1, "signals": {{}}}}\n'.encode(),
    "a signal of text": f'{HEADER}\n{{"step": 50, "time": 1, "signals": {{"auc": "\\u001b[2J"}}}}\n'.encode(),
    "signals as a list": f'{HEADER}\n{{"step": 50, "time": 1, "signals": [1]}}\n'.encode(),
    "deep": f"{HEADER}\n{'[' * 100_000}\n".encode(),
    "a deep header": b'{"schema":' * 50_000 + b"\n",
    "an alert of text": f'{HEADER}\n{{"step": 50, "alert": "mode_collapse"}}\n'.encode(),
    "an alert without a kind": f'{HEADER}\n{{"step": 50, "alert": {{"severity": "warning"}}}}\n'.encode(),
    "an alert of no severity": f"{HEADER}\n{altered(severity='bad')}\n".encode(),
    "huge evidence": f"{HEADER}\n{altered(evidence={'a': 10**400})}\n".encode(),
    "a long line": f"{HEADER}\n".encode() + b'{"step": 1, "note": "' + b"x" * LONGEST_LINE + b'"}\n',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_content_is_one_clear_error(tmp_path, name):
    path = tmp_path / "run.jsonl"
    path.write_bytes(HOSTILE[name])
    with pytest.raises(InputError) as caught:
        read_run_log(path)
    text = str(caught.value)
    assert "run.jsonl" in text
    assert len(text.splitlines()) == 1
    assert len(text) < 700
    assert text.isprintable()


def test_a_damaged_line_is_named_by_its_number(write):
    with pytest.raises(InputError, match=r"run\.jsonl', line 3: damaged"):
        read_run_log(write(HEADER, line(50, auc=0.5), '{"step": 100,', line(150, auc=0.5)))


def test_what_is_no_log_at_all(tmp_path):
    with pytest.raises(InputError, match="does not exist"):
        read_run_log(tmp_path / "nothing")
    with pytest.raises(InputError, match="does not exist"):
        read_run_log(tmp_path)
    (tmp_path / "run.jsonl").mkdir()
    with pytest.raises(InputError, match="a folder"):
        read_run_log(tmp_path)
    with pytest.raises(InputError, match="no regular file"):
        read_run_log("/dev/zero")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="no regular file"):  # opening it would wait for ever
        read_run_log(tmp_path / "pipe")
    with pytest.raises(InputError):
        read_run_log("a\0b")


def test_a_gigabyte_in_one_line_takes_no_memory(tmp_path):
    path = tmp_path / "run.jsonl"
    with path.open("wb") as file:
        file.write(HEADER.encode() + b"\n")
        file.truncate(MOST_BYTES - 1)  # sparse
    tracemalloc.start()
    with pytest.raises(InputError, match="line 2: longer than"):
        read_run_log(path)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    os.truncate(path, 1 << 30)
    with pytest.raises(InputError, match="bytes; a run log has"):
        read_run_log(path)


def test_a_growing_log_is_followed(tmp_path):
    log = GrowingLog(tmp_path)
    with pytest.raises(FileNotFoundError):
        log.update()
    path = tmp_path / "run.jsonl"
    path.write_text("")
    assert not log.update()
    with path.open("a") as file:
        file.write(HEADER[:10])
        file.flush()
        assert not log.update()
        file.write(HEADER[10:] + "\n" + line(50, auc=0.5)[:7])
        file.flush()
        assert log.update()
        assert log.begun
        assert not log.records
        file.write(line(50, auc=0.5)[7:] + "\n")
        file.flush()
        assert log.update()
        assert not log.update()
        assert [record.step for record in log.records] == [50]
        for step in range(100, 1100, 50):
            file.write(line(step, auc=0.5) + "\n")
            file.flush()
            assert log.update()
    assert log.so_far() == read_run_log(tmp_path)


@pytest.mark.parametrize("created", ["2026-01-02", "2026-01-01T00:00:00+00:00"])
def test_a_log_that_was_replaced_is_read_anew(write, tmp_path, created):
    log = GrowingLog(write(HEADER, *(line(step, auc=0.5) for step in range(50, 500, 50))))
    log.update()
    header = json.dumps({"schema": SCHEMA, "created": created})
    (tmp_path / "run.jsonl").write_text(f"{header}\n{line(10, auc=0.1)}\n")
    assert log.update()
    assert [record.step for record in log.records] == [10]
    assert log.header["created"] == created


def test_a_million_steps_are_read_in_bounded_time_and_memory(tmp_path):
    writer = RunLogWriter(tmp_path, {})
    for step in range(50, 50_001, 50):
        writer.record(Record(step, step / 10, {f"signal_{place}": 0.1234567 for place in range(24)}))
    writer.close()
    tracemalloc.start()
    log = read_run_log(tmp_path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(log.records) == 1000
    assert peak < 4e6


WRITER = """
import sys
from gandiag.core.signals import Record
from gandiag.monitor.sinks.jsonl import RunLogWriter
writer = RunLogWriter(sys.argv[1], {"long": "x" * 300}, resume=True, step=int(sys.argv[2]))
step = int(sys.argv[2])
while True:
    step += 50
    writer.record(Record(step, step / 10, {"auc": 0.123456, "note" * 40: step}))
    print(step, flush=True)
"""


def test_a_writer_killed_at_random_moments_leaves_a_readable_log(tmp_path):
    rng = random.Random(0)
    step = 0
    for _ in range(6):
        words = [sys.executable, "-c", WRITER, str(tmp_path), str(step)]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
            process.stdout.readline()
            time.sleep(rng.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            told = [int(word) for word in process.stdout.read().split() if word.isdigit()]
        log = read_run_log(tmp_path)
        steps = [record.step for record in log.records]
        assert steps == list(range(50, steps[-1] + 1, 50))
        assert steps[-1] >= max(told, default=0)  # what was said to be written is there
        assert all(record.signals["note" * 40] == record.step for record in log.records)
        step = steps[-1] - 100 if len(steps) > 5 else 0
        with (tmp_path / "run.jsonl").open("ab") as file:  # as a kill within a write would leave it
            file.write(b'{"step":99999999,"time":1,"signals":{"au'[: rng.randrange(40)])
