from __future__ import annotations

import io
import json
import logging
import resource
import signal
import sys
import threading
import time
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gandiag.core.alert import Alert
from gandiag.core.errors import InputError, MissingExtraError, UnknownNameError, UsageError
from gandiag.core.run_log import as_logged, read_run_log
from gandiag.core.signals import SIGNALS, Record
from gandiag.monitor.rhythm import record_interval
from gandiag.monitor.sinks import SINKS, open_sinks
from gandiag.monitor.sinks.jsonl import RunLogWriter
from gandiag.monitor.sinks.tensorboard import TensorBoard
from gandiag.monitor.sinks.wandb import WandB
from gandiag.monitor.sinks.webhook import Webhook
from gandiag.testing import check_sink

RECORD = Record(50, 2.5, {"auc": 0.8125, "generator_loss@A": 1.5})
ALERT = Alert("mode_collapse", "critical", 900, 850, "the fakes are alike", {"variance_ratio": 0.01}, ("look", "wait"))


def fill(sink):
    sink.record(RECORD)
    sink.alert(ALERT)
    sink.note(60, "blind")
    sink.close()


@pytest.fixture
def server():
    """A web server of this machine that keeps what was posted; `release` lets it answer."""
    posted, release = [], threading.Event()
    release.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            release.wait(10)
            if self.path.startswith("/moved"):
                self.send_response(302)
                self.send_header("Location", "/")
            else:
                posted.append(json.loads(body))
                self.send_response(500 if self.path.startswith("/broken") else 200)
            self.end_headers()

        def log_message(self, *arguments):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url, server.posted, server.release = f"http://127.0.0.1:{server.server_address[1]}", posted, release
    yield server
    release.set()
    server.shutdown()
    server.server_close()


@pytest.fixture
def mlflow_store(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")  # what mlflow-skinny can use without a server
    return tmp_path / "mlruns"


@pytest.fixture
def wandb_offline(tmp_path, monkeypatch):
    for name, value in {"MODE": "offline", "SILENT": "true", "DIR": str(tmp_path), "ERROR_REPORTING": "false"}.items():
        monkeypatch.setenv(f"WANDB_{name}", value)
    return tmp_path


@pytest.mark.parametrize("name", [name for name in SINKS.names() if name not in ("wandb", "mlflow", "webhook")])
def test_what_every_sink_does(name, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    numbers = iter(range(9))
    check_sink(lambda: SINKS.load(name)(f"{tmp_path}/{next(numbers)}" if name in ("jsonl", "tensorboard") else None))


def test_the_webhook_does_what_every_sink_does(server):
    check_sink(lambda: Webhook(server.url))
    assert len(server.posted) == 8


def test_the_kit_finds_what_is_wrong():
    class Good:
        def record(self, record): ...
        def alert(self, alert): ...
        def note(self, step, text): ...
        def close(self): ...

    class Prints(Good):
        def alert(self, alert):
            print(alert)

    class ClosesOnce(Good):
        closed = False

        def close(self):
            if self.closed:
                raise ValueError("closed")
            self.closed = True

    class Changes(Good):
        def record(self, record):
            record.signals["mine"] = 1.0

    check_sink(Good)
    for wrong, text in [(Prints, "stdout"), (ClosesOnce, "twice"), (Changes, "changes"), (object, "no Sink")]:
        with pytest.raises(AssertionError, match=text):
            check_sink(wrong)


class TestOpening:
    def test_names_objects_and_functions(self, tmp_path):
        called = []
        given = SINKS.load("console")(None)
        sinks = open_sinks([f"jsonl:{tmp_path}", given, called.append, "logging"])
        assert sinks[1] is given
        for sink in sinks:
            sink.record(RECORD)
        sinks[2].alert(ALERT)
        assert called == [ALERT]
        for sink in sinks:
            sink.close()
        assert read_run_log(tmp_path).records == (RECORD,)

    def test_a_near_miss(self):
        with pytest.raises(UnknownNameError, match="did you mean 'tensorboard'"):
            open_sinks(["tensorbord:x"])

    @pytest.mark.parametrize(
        ("sinks", "text"),
        [
            (["tensorboard"], "needs a folder"),
            (["jsonl"], "needs a folder"),
            (["webhook"], "needs an address"),
            (["console:x"], "takes no target"),
            (["webhook:ftp://example.org/secret"], "http or https"),
            (["webhook:file:///etc/passwd"], "http or https"),
            ([3], "no sink"),
            ([dict], "no sink"),
            ("console", "must be a list"),
        ],
    )
    def test_what_cannot_be_opened(self, sinks, text):
        with pytest.raises(UsageError, match=text) as caught:
            open_sinks(sinks)
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("name", ["tensorboard", "wandb", "mlflow"])
    def test_a_missing_package_names_its_extra(self, name, monkeypatch):
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            monkeypatch.delitem(sys.modules, module)
        monkeypatch.setitem(sys.modules, name, None)
        monkeypatch.delitem(sys.modules, "torch.utils.tensorboard", raising=False)
        with pytest.raises(MissingExtraError, match=rf"gandiag\[{name}\]"):
            open_sinks([f"{name}:x"])

    def test_those_opened_before_a_failure_are_closed(self, tmp_path, monkeypatch):
        closed = []
        monkeypatch.setattr(RunLogWriter, "close", lambda self: closed.append(self))
        with pytest.raises(UnknownNameError):
            open_sinks([f"jsonl:{tmp_path}", "nothing"])
        assert len(closed) == 1


class TestRunLog:
    def test_a_log_that_is_there_is_kept(self, tmp_path):
        for number in range(3):
            writer = RunLogWriter(tmp_path, {"number": number})
            writer.record(RECORD)
            writer.close()
        assert read_run_log(tmp_path).header["number"] == 2
        assert read_run_log(tmp_path / "run.1.jsonl").header["number"] == 0
        assert read_run_log(tmp_path / "run.2.jsonl").header["number"] == 1

    def test_a_stranger_s_file_is_never_continued(self, tmp_path):
        (tmp_path / "run.jsonl").write_text("my notes\n")
        RunLogWriter(tmp_path, {}, resume=True, step=5).close()
        assert (tmp_path / "run.1.jsonl").read_text() == "my notes\n"
        assert read_run_log(tmp_path).records == ()

    @pytest.mark.parametrize(
        "tail", ["", '{"step":150,"ti', '{"step":150,"time":7.5,"signals":{"auc":0.5}}', "\0\0\0\0"]
    )
    def test_a_resumed_run_continues_the_log(self, tmp_path, tail):
        writer = RunLogWriter(tmp_path, {})
        for step in (50, 100):
            writer.record(Record(step, step / 20, {"auc": 0.5}))
        writer.close()
        with (tmp_path / "run.jsonl").open("a") as file:
            file.write(tail)
        writer = RunLogWriter(tmp_path, {}, resume=True, step=50, time=2.5)
        writer.record(Record(100, 5.0, {"auc": 0.75}))
        writer.close()
        records = read_run_log(tmp_path).records
        assert [(record.step, record.signals["auc"]) for record in records] == [(50, 0.5), (100, 0.75)]
        assert '{"step":50,"time":2.5,"resumed":true}' in (tmp_path / "run.jsonl").read_text().splitlines()
        assert not (tmp_path / "run.1.jsonl").exists()

    def test_a_folder_that_cannot_be_written(self, tmp_path):
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="cannot write the run log"):
            RunLogWriter(tmp_path / "file", {})
        with pytest.raises(InputError, match="cannot write the run log"):
            RunLogWriter("/proc/nothing", {})
        (tmp_path / "run.jsonl").mkdir()
        with pytest.raises(InputError, match="cannot write the run log"):
            RunLogWriter(tmp_path, {})

    def test_a_full_disk_leaves_whole_lines(self, tmp_path):
        writer = RunLogWriter(tmp_path, {})
        writer.record(RECORD)
        size = (tmp_path / "run.jsonl").stat().st_size
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, limits[1]))
        try:
            with pytest.raises(InputError, match="cannot write the run log"):
                writer.record(RECORD)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        assert (tmp_path / "run.jsonl").stat().st_size == size
        writer.alert(ALERT)
        assert read_run_log(tmp_path).alerts == (ALERT,)
        writer.close()

    def test_it_is_strict_json(self, tmp_path):
        writer = RunLogWriter(tmp_path, {})
        with pytest.raises(ValueError, match="Out of range"):
            writer.record(Record(50, 1.0, {"auc": float("nan")}))
        writer.close()
        with pytest.raises(UsageError, match="closed"):
            writer.record(RECORD)

    def test_a_million_steps_stay_under_20_megabytes(self, tmp_path):
        """By a hundredth of them: the rhythm at each age, and a record of every signal that there is."""
        writer = RunLogWriter(tmp_path, {})
        written, stride = 0, 100
        step = count = 0
        while step < 1_000_000:
            step += record_interval(step)
            count += 1
            if count % stride == 0:
                before = writer.path.stat().st_size
                values = {name: (step * 1.2345678e-3) ** (place % 5 - 2) for place, name in enumerate(SIGNALS)}
                writer.record(as_logged(Record(step, step / 41.3, values)))
                written += writer.path.stat().st_size - before
        writer.close()
        assert written * stride < 20e6
        assert record_interval(0) == record_interval(399_999) == 50


class TestConsole:
    def test_one_line_on_stderr(self, capsys):
        fill(SINKS.load("console")(None))
        captured = capsys.readouterr()
        assert captured.out == ""
        expected = "gandiag: step 900: critical: mode_collapse: the fakes are alike\ngandiag: step 60: blind\n"
        assert captured.err == expected

    def test_colour_on_a_terminal_only_and_no_control_characters(self, monkeypatch):
        class Terminal(io.StringIO):
            encoding = "ascii"

            def isatty(self):
                return True

        monkeypatch.setattr(sys, "stderr", terminal := Terminal())
        monkeypatch.delenv("NO_COLOR", raising=False)
        console = SINKS.load("console")(None)
        console.alert(Alert("mode_collapse", "warning", 1, 1, "bad \x1b[2J ü"))
        assert (
            terminal.getvalue()
            == "\r\x1b[K\x1b[33mgandiag: step 1: warning: mode_collapse: bad \\x1b[2J \\xfc\x1b[0m\n"
        )
        monkeypatch.setenv("NO_COLOR", "1")
        console.alert(ALERT)
        assert "\x1b[1;31m" not in terminal.getvalue()
        monkeypatch.setattr(sys, "stderr", None)
        console.alert(ALERT)


def test_logging(caplog):
    with caplog.at_level(logging.DEBUG, "gandiag"):
        fill(SINKS.load("logging")(None))
    assert [(entry.name, entry.levelno) for entry in caplog.records] == [
        ("gandiag", logging.DEBUG),
        ("gandiag", logging.CRITICAL),
        ("gandiag", logging.INFO),
    ]
    assert caplog.records[1].alert == ALERT
    assert "auc=0.8125" in caplog.text


class TestTensorBoard:
    def read(self, folder):
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

        events = EventAccumulator(str(folder))
        events.Reload()
        return events

    def test_scalars_and_texts(self, tmp_path):
        fill(SINKS.load("tensorboard")(str(tmp_path)))
        events = self.read(tmp_path)
        assert set(events.Tags()["scalars"]) == {"gandiag/auc", "gandiag/A/generator_loss"}
        assert [(event.step, event.value) for event in events.Scalars("gandiag/auc")] == [(50, 0.8125)]
        (alert,) = events.Tensors("gandiag/alerts/text_summary")
        assert alert.step == 900
        assert b"the fakes are alike" in alert.tensor_proto.string_val[0]
        assert b"variance_ratio = 0.01" in alert.tensor_proto.string_val[0]

    def test_the_user_s_own_writer_stays_open(self, tmp_path):
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(tmp_path)) as writer:
            fill(TensorBoard(writer))
            writer.add_scalar("mine", 1.0, 1)
        assert "mine" in self.read(tmp_path).Tags()["scalars"]


def leveldb_records(data):
    """The records of a file of wandb's: seven bytes of header, then LevelDB's log format."""
    place, parts = 7, []
    while place + 7 <= len(data):
        if 32768 - place % 32768 < 7:  # too little room for a header: padding up to the next block
            place += 32768 - place % 32768
            continue
        length, kind = int.from_bytes(data[place + 4 : place + 6], "little"), data[place + 6]
        parts.append(data[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):  # whole, or the last part
            yield b"".join(parts)
            parts = []


class TestWandB:
    def read(self, folder):
        """What the offline run's file holds, once wandb's own process has written it to its end."""
        import wandb
        from wandb.proto import wandb_internal_pb2

        wandb.teardown()
        (path,) = folder.glob("wandb/offline-run-*/*.wandb")
        entries = []
        for data in leveldb_records(path.read_bytes()):
            entries.append(wandb_internal_pb2.Record())
            entries[-1].ParseFromString(data)
        rows = [
            {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in entry.history.item}
            for entry in entries
            if entry.WhichOneof("record_type") == "history"
        ]
        return rows, [entry.alert for entry in entries if entry.WhichOneof("record_type") == "alert"]

    def test_a_run_of_its_own(self, wandb_offline):
        fill(SINKS.load("wandb")("project"))
        rows, alerts = self.read(wandb_offline)
        assert any(row.get("gandiag/auc") == 0.8125 and row.get("gandiag/step") == 50 for row in rows)
        (alert,) = alerts
        assert alert.title == "gandiag: mode_collapse at step 900"
        assert alert.level == "ERROR"
        assert "variance_ratio = 0.01" in alert.text

    def test_the_user_s_run_keeps_its_steps(self, wandb_offline):
        import wandb

        run = wandb.init(project="mine")
        try:
            sink = SINKS.load("wandb")(None)
            for step in range(100, 400, 100):
                run.log({"loss": step / 100}, step=step)
                sink.record(Record(step, 1.0, {"auc": step / 1000}))
            sink.close()
            run.log({"loss": 9.0}, step=400)
        finally:
            run.finish()
        rows, _ = self.read(wandb_offline)
        assert [row["loss"] for row in rows if "loss" in row] == [1.0, 2.0, 3.0, 9.0]
        assert [row["gandiag/auc"] for row in rows if "gandiag/auc" in row] == [0.1, 0.2, 0.3]

    def test_a_long_title_fits(self):
        titles = []

        class Run:
            def define_metric(self, *names, **options): ...

            def alert(self, title, **options):
                titles.append(title)

        WandB(Run()).alert(Alert("x" * 90, "info", 1, 1, "m"))
        assert len(titles[0]) < 64


class TestMLflow:
    def test_metrics_tags_and_texts(self, mlflow_store):
        from mlflow.tracking import MlflowClient

        fill(SINKS.load("mlflow")("gans"))
        client = MlflowClient()
        (run,) = client.search_runs([client.get_experiment_by_name("gans").experiment_id])
        assert run.info.status == "FINISHED"
        assert run.data.metrics == {"gandiag/auc": 0.8125, "gandiag/A/generator_loss": 1.5}
        assert [metric.step for metric in client.get_metric_history(run.info.run_id, "gandiag/auc")] == [50]
        assert run.data.tags["gandiag.mode_collapse"] == "step 900: critical: mode_collapse: the fakes are alike"
        assert run.data.tags["gandiag.note.60"] == "blind"
        texts = list(mlflow_store.rglob("alerts.md"))
        assert "variance_ratio = 0.01" in texts[0].read_text()

    def test_the_active_run_is_used_and_left_open(self, mlflow_store):
        import mlflow

        with mlflow.start_run() as run:
            fill(SINKS.load("mlflow")(None))
            assert mlflow.active_run().info.run_id == run.info.run_id
        assert mlflow.get_run(run.info.run_id).data.metrics["gandiag/auc"] == 0.8125

    def test_what_every_sink_does(self, mlflow_store):
        check_sink(lambda: SINKS.load("mlflow")("gans"))

    def test_a_store_that_cannot_be_used(self, monkeypatch):
        monkeypatch.setenv("MLFLOW_TRACKING_URI", "nonsense://x")
        with pytest.raises(UsageError, match="MLFLOW_TRACKING_URI"):
            SINKS.load("mlflow")("gans")


class TestWebhook:
    def test_alerts_arrive_as_json(self, server):
        fill(Webhook(server.url))
        (body,) = server.posted
        assert Alert.from_dict(body["alert"]) == ALERT
        assert body["text"] == "gandiag: step 900: critical: mode_collapse: the fakes are alike"

    def test_it_never_blocks_and_drops_with_one_warning(self, server):
        server.release.clear()
        webhook = Webhook(server.url, timeout=0.2)
        begin = time.monotonic()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            for _ in range(1000):
                webhook.alert(ALERT)
            assert time.monotonic() - begin < 1
            webhook.close()
        assert time.monotonic() - begin < 3
        assert len(caught) == 1
        assert "did not reach the webhook at 127.0.0.1" in str(caught[0].message)

    @pytest.mark.parametrize("path", ["/broken", "/moved"])
    def test_what_the_server_refuses_is_warned_of(self, server, path):
        webhook = Webhook(f"{server.url}{path}?token=secret")
        webhook.alert(ALERT)
        with pytest.warns(UserWarning, match="did not reach the webhook") as caught:
            webhook.close()
        assert "secret" not in str(caught[0].message)

    def test_nobody_listens(self):
        webhook = Webhook("http://127.0.0.1:9/", timeout=1)
        webhook.alert(ALERT)
        with pytest.warns(UserWarning, match="did not reach"):
            webhook.close()
