from __future__ import annotations

import json
import subprocess
import sys

import pytest

from gandiag.core.run_log import SCHEMA, as_logged
from gandiag.core.signals import Record
from gandiag.monitor.engine import Engine
from gandiag.monitor.sinks.jsonl import RunLogWriter

HEADER = json.dumps({"schema": SCHEMA})


def write_run(folder, *, broken: bool):
    """Losses that stay finite, or become NaN at step 1000."""
    engine, writer = Engine(), RunLogWriter(folder, {})
    for step in range(50, 2050, 50):
        bad = float(broken and step >= 1000)
        signals = {"generator_loss": 1.0, "discriminator_loss": 1.0, "non_finite_losses": bad}
        record = as_logged(Record(step, step / 40, {**signals, **({"non_finite_step": float(step)} if bad else {})}))
        writer.record(record)
        for alert in engine.update(record):
            writer.alert(alert)
    writer.close()
    return folder


@pytest.fixture
def broken(tmp_path):
    return write_run(tmp_path / "broken", broken=True)


@pytest.fixture
def calm(tmp_path):
    return write_run(tmp_path / "calm", broken=False)


def test_what_is_printed(gandiag_command, broken):
    finished = gandiag_command("diagnose", broken)
    assert finished.code == 0
    assert finished.err == ""
    assert "non_finite" in finished.out
    assert "last good step 900" in finished.out
    assert "non_finite_losses" in finished.out
    assert "To silence" in finished.out
    assert "rules that saw nothing" in finished.out
    assert "mode_collapse" in finished.out


def test_silence_is_not_called_health(gandiag_command, calm):
    out = gandiag_command("diagnose", calm, "--fail-on", "info").out
    assert "no alert in 2,000 steps" in out
    assert "rules saw nothing" in out
    assert "healthy" not in out


@pytest.mark.parametrize(("level", "code"), [("info", 1), ("warning", 1), ("critical", 1)])
def test_fail_on(gandiag_command, broken, calm, level, code):
    assert gandiag_command("diagnose", broken, "--fail-on", level).code == code
    assert gandiag_command("diagnose", calm, "--fail-on", level).code == 0


def test_json_alone_on_stdout_or_in_a_file(gandiag_command, broken, tmp_path):
    document = json.loads(gandiag_command("diagnose", broken, "--json", "-").out, parse_constant=pytest.fail)
    assert document["last_good_step"] == 900
    assert document["alerts"][0]["kind"] == "non_finite"
    assert document["alerts"] == document["alerts_at_the_time"]
    finished = gandiag_command("diagnose", broken, "--json", tmp_path / "d.json", "--fail-on", "warning")
    assert finished.code == 1
    assert json.loads((tmp_path / "d.json").read_text()) == document


def test_html(gandiag_command, broken, tmp_path):
    finished = gandiag_command("diagnose", broken, "--html", tmp_path / "report.html")
    assert finished.code == 0
    assert "report.html" in finished.err
    assert "non_finite" in (tmp_path / "report.html").read_text()


def test_two_options_do_not_write_one_file(refused, calm, tmp_path):
    said = refused("diagnose", calm, "--html", tmp_path / "out", "--json", tmp_path / "out")
    assert "two options write the file" in said
    assert not (tmp_path / "out").exists()


def test_thresholds_from_a_file(gandiag_command, refused, broken, tmp_path):
    path = tmp_path / "limits.toml"
    path.write_text("non_finite = false\n")
    assert "no alert" in gandiag_command("diagnose", broken, "--thresholds", path, "--fail-on", "info").out
    path.write_text("nonfinite = false\n")
    assert "did you mean 'non_finite'" in refused("diagnose", broken, "--thresholds", path)
    path.write_text("non_finite = \n")
    assert "limits.toml" in refused("diagnose", broken, "--thresholds", path)
    assert "limits.toml" in refused("diagnose", broken, "--thresholds", path.with_name("no-limits.toml"))


def test_a_table_with_a_map(gandiag_command, refused, tmp_path):
    path = tmp_path / "metrics.csv"
    path.write_text(
        "step,a,errG\n" + "".join(f"{step},{'nan' if step > 500 else 1},2\n" for step in range(50, 2000, 50))
    )
    finished = gandiag_command("diagnose", path)
    assert "generator_loss" in finished.out
    assert "not understood" in finished.out
    assert "steps from the column 'step'" in finished.out
    finished = gandiag_command(
        "diagnose", path, "--map", "a=discriminator_loss", "--map", "errG=", "--fail-on", "critical"
    )
    assert finished.code == 1
    assert "left out" in finished.out
    assert "did you mean 'discriminator_loss'" in refused("diagnose", path, "--map", "a=discriminator_los")
    assert "did you mean 'errG'" in refused("diagnose", path, "--map", "errg=generator_loss")
    assert "NAME=SIGNAL" in refused("diagnose", path, "--map", "a")
    assert "twice" in refused("diagnose", path, "--map", "a=auc", "--map", "a=d_prime")


HOSTILE = {
    "missing": None,
    "empty": b"",
    "no header": b'{"step": 1}\n',
    "another schema": b'{"schema": "gandiag.run/9"}\n',
    "a result": b'{"schema": "gandiag.result/1"}\n',
    "binary": bytes(range(256)),
    "pickle": b"\x80\x04\x95\x1c\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "utf-16": HEADER.encode("utf-16"),
    "latin": HEADER.encode() + b'\n{"step": 1, "note": "\xe9"}\n',
    "NaN": HEADER.encode() + b'\n{"step": 1, "time": 0, "signals": {"auc": NaN}}\n',
    "infinity": HEADER.encode() + b'\n{"step": 1, "time": 0, "signals": {"auc": -Infinity}}\n',
    "overflow": HEADER.encode() + b'\n{"step": 1, "time": 0, "signals": {"auc": 1e400}}\n',
    "digits": HEADER.encode() + b'\n{"step": 1, "time": 0, "signals": {"auc": ' + b"7" * 9999 + b"}}\n",
    "huge step": HEADER.encode() + b'\n{"step": ' + b"7" * 99 + b', "time": 0, "signals": {}}\n',
    "nested": HEADER.encode() + b"\n" + b'{"a":' * 30_000 + b"\n",
    "long": HEADER.encode() + b"\n" + b" " * (2 << 20) + b"\n",
    "cut in the middle": HEADER.encode() + b'\n{"step": 1, \n{"step": 2, "time": 0, "signals": {}}\n',
    "two logs": (HEADER + "\n" + HEADER + "\n").encode(),
    "text signal": HEADER.encode() + b'\n{"step": 1, "time": 0, "signals": {"auc": "\\u001b]0;x\\u0007"}}\n',
    "null signals": HEADER.encode() + b'\n{"step": 1, "time": 0, "signals": null}\n',
    "list": b"[]\n",
    "string": b'"gandiag.run/1"\n',
    "null": b"null\n",
    "bad alert": HEADER.encode() + b'\n{"step": 1, "alert": {"kind": 3}}\n',
    "endless alert": HEADER.encode() + b'\n{"step": 1, "alert": {"kind": "x", "advice": 3}}\n',
    "evil thresholds": b'{"schema": "gandiag.run/1", "thresholds": {"mode_collapse": [1]}}\n',
    "unknown thresholds": b'{"schema": "gandiag.run/1", "thresholds": {"\\u001b[2J": {}}}\n',
    "thresholds of text": b'{"schema": "gandiag.run/1", "thresholds": "all"}\n',
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("command", ["diagnose", "live"])
def test_hostile_logs_end_in_one_line(refused, tmp_path, name, command):
    path = tmp_path / "run.jsonl"
    if HOSTILE[name] is not None:
        path.write_bytes(HOSTILE[name])
    words = [command, path]
    if command == "live" and "thresholds" in name:
        return  # it replays nothing
    assert "run.jsonl" in refused(*words)


def test_folders_without_a_log(refused, tmp_path):
    assert "holds no log" in refused("diagnose", tmp_path)
    (tmp_path / "a.csv").write_text("step,a\n1,2\n")
    (tmp_path / "b.csv").write_text("step,a\n1,2\n")
    assert "2 tables" in refused("diagnose", tmp_path)
    assert "regular file" in refused("diagnose", "/dev/null")


def test_what_cannot_be_written_is_said_before_the_work(refused, broken, tmp_path):
    assert "it is a folder" in refused("diagnose", broken, "--json", tmp_path)
    assert "it is a folder" in refused("diagnose", broken, "--html", tmp_path)


def test_text_of_a_stranger_cannot_move_the_cursor(gandiag_command, tmp_path):
    path = tmp_path / "run.jsonl"
    evil = "\u001b[2J\ud800[red]x[/red]"
    alert = {"kind": evil, "severity": "warning", "step": 1, "since_step": 1, "message": evil}
    lines = [
        HEADER,
        json.dumps({"step": 1, "time": 0, "signals": {evil: 1.0, "auc@" + evil: 0.5}}),
        json.dumps({"step": 1, "note": evil}),
        json.dumps({"step": 1, "alert": {**alert, "evidence": {evil: 1}, "advice": [evil]}}),
    ]
    path.write_text("\n".join(lines) + "\n")
    for command in ("diagnose", "live"):
        finished = gandiag_command(command, path)
        assert finished.code == 0
        assert "\x1b[2J" not in finished.out
        assert "[red]x[/red]" in finished.out


def test_a_diagnosis_loads_no_torch(broken):
    program = (
        "import sys\nfrom gandiag.cli.main import main\n"
        f"try: main(['diagnose', {str(broken)!r}, '--json', '-'])\nexcept SystemExit as end: assert not end.code\n"
        "heavy = {'torch', 'tensorboard', 'pandas', 'scipy'} & set(sys.modules); sys.exit(str(heavy) if heavy else 0)"
    )
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert finished.returncode == 0, finished.stderr
