from __future__ import annotations

import json

import pytest

import gandiag
from gandiag.core.alert import SEVERITIES, Alert
from gandiag.core.errors import InputError, UnknownNameError, UsageError
from gandiag.core.run_log import as_logged, read_run_log
from gandiag.core.signals import Record
from gandiag.monitor.engine import Engine
from gandiag.monitor.replay import replay
from gandiag.monitor.sinks.jsonl import RunLogWriter


def collapsing(steps: int = 4000, every: int = 50) -> list[Record]:
    """A run that is fine for two thirds of its steps and then makes one sample, with a loss that ends as NaN."""
    records = []
    for step in range(every, steps + 1, every):
        wave = 1 + 0.1 * ((step // every * 37) % 17 - 8) / 8
        spread = 0.9 * wave if step < steps * 2 / 3 else 0.013 * wave
        signals = {
            "generator_gradient_norm": 0.5 * wave,
            "generator_gradient_norm_max": 0.7 * wave,
            "discriminator_gradient_norm": 1.1 / wave,
            "discriminator_gradient_norm_max": 1.7 / wave,
            "generator_steps": float(step),
            "discriminator_steps": float(step),
            "generator_loss": 1.234567891 * wave,
            "discriminator_loss": 1.0 / wave,
            "auc": 0.76543219 / wave,
            "variance_ratio": spread,
            "pairwise_distance_ratio": spread,
            "nearest_neighbour_ratio": spread,
            "coverage": min(1.0, spread),
            "vendi_ratio": spread,
            "non_finite_losses": float(step == steps),
        }
        if step == steps:
            signals["non_finite_step"] = float(step - 3)
        records.append(as_logged(Record(step, step / 41.3, signals)))
    return records


@pytest.fixture
def logged(tmp_path):
    """A run as a monitor logs it."""
    engine, writer = Engine(), RunLogWriter(tmp_path / "run", {})
    for record in collapsing():
        writer.record(record)
        for alert in engine.update(record):
            writer.alert(alert)
    writer.close()
    return tmp_path / "run"


def test_a_replay_gives_the_alerts_of_the_time_byte_for_byte(logged):
    log = read_run_log(logged)
    replayed = replay(log.records)
    assert {"mode_collapse", "non_finite"} <= {alert.kind for alert in replayed}
    assert [json.dumps(alert.to_dict()) for alert in replayed] == [json.dumps(alert.to_dict()) for alert in log.alerts]


def test_a_resumed_run_replays_as_one_that_never_stopped(logged, tmp_path):
    records = collapsing()
    engine, writer = Engine(), RunLogWriter(tmp_path / "two", {})
    state = {}
    for record in records[:70]:
        writer.record(record)
        for alert in engine.update(record):
            writer.alert(alert)
        if record.step == 2000:
            state = json.loads(json.dumps(engine.state_dict()))
    writer.close()
    engine, writer = Engine(), RunLogWriter(tmp_path / "two", {}, resume=True, step=2000, time=records[39].time)
    engine.load_state_dict(state)
    for record in records[40:]:
        writer.record(record)
        for alert in engine.update(record):
            writer.alert(alert)
    writer.close()
    one, two = read_run_log(logged), read_run_log(tmp_path / "two")
    assert (one.records, one.alerts) == (two.records, two.alerts)
    assert tuple(replay(two.records)) == two.alerts


def test_thresholds_change_what_is_found(logged):
    records = read_run_log(logged).records
    kinds = {alert.kind for alert in replay(records, {"mode_collapse": False})}
    assert "mode_collapse" not in kinds
    assert "non_finite" in kinds
    with pytest.raises(UnknownNameError, match="did you mean 'mode_collapse'"):
        replay(records, {"mode_colapse": False})


class TestDiagnosis:
    def test_what_it_says(self, logged):
        diagnosis = gandiag.diagnose(logged)
        assert diagnosis.format == "gandiag"
        assert diagnosis.alerts == diagnosis.log.alerts
        assert diagnosis.worst == max((alert.severity for alert in diagnosis.alerts), key=SEVERITIES.index)
        first = min(alert.since_step for alert in diagnosis.alerts if alert.severity != "info")
        assert diagnosis.last_good_step == max(record.step for record in diagnosis.log.records if record.step < first)
        assert 2000 < diagnosis.last_good_step < 3000  # the samples are alike from step 2700 on
        measured = diagnosis.measured["generator_steps"]
        assert (measured.records, measured.first, measured.last) == (80, 50.0, 4000.0)
        assert "discriminator_overfitting" in diagnosis.inactive
        assert diagnosis.verdict.startswith(f"{len(diagnosis.alerts)} alerts in 4,000 steps, the worst critical")
        assert f"{len(diagnosis.inactive)} rule" in diagnosis.verdict

    def test_its_json_is_strict_and_whole(self, logged):
        document = json.loads(gandiag.diagnose(logged).to_json(), parse_constant=pytest.fail)
        assert document["schema"] == "gandiag.diagnosis/1"
        assert tuple(Alert.from_dict(alert) for alert in document["alerts"]) == gandiag.diagnose(logged).alerts
        assert document["measured"]["auc"]["records"] == 80

    def test_nothing_measured_is_no_health(self, tmp_path):
        RunLogWriter(tmp_path, {}).close()
        diagnosis = gandiag.diagnose(tmp_path)
        assert diagnosis.verdict == "nothing was measured, so nothing can be said"
        assert diagnosis.last_good_step is None
        assert len(diagnosis.inactive) > 5

    def test_no_alert_still_names_what_was_blind(self, tmp_path):
        writer = RunLogWriter(tmp_path, {})
        for record in collapsing(2000)[:20]:
            writer.record(record)
        writer.close()
        diagnosis = gandiag.diagnose(tmp_path)
        assert diagnosis.alerts == ()
        assert diagnosis.last_good_step == 1000
        assert (
            diagnosis.verdict == f"no alert in 1,000 steps; {len(diagnosis.inactive)} rules saw nothing"
            or len(diagnosis.inactive) == 1
        )

    def test_thresholds_of_the_run_are_used_again(self, logged):
        path = logged / "run.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        header = {**json.loads(lines[0]), "thresholds": {"mode_collapse": False}}
        path.write_text(json.dumps(header) + "\n" + "".join(lines[1:]))
        assert "mode_collapse" not in {alert.kind for alert in gandiag.diagnose(logged).alerts}
        assert "mode_collapse" in {alert.kind for alert in gandiag.diagnose(logged, {}).alerts}
        header["thresholds"] = {"mode_collapse": "\u001b[2J"}
        path.write_text(json.dumps(header) + "\n" + "".join(lines[1:]))
        with pytest.raises(InputError, match="header"):
            gandiag.diagnose(logged)

    def test_a_map_is_for_foreign_logs(self, logged):
        with pytest.raises(UsageError, match="need no map"):
            gandiag.diagnose(logged, map={"auc": "auc"})
