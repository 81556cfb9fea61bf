"""The engine: order and consequences, players, state, and what it says about rules without signals."""

from __future__ import annotations

import json
import random
import time

import pytest
from signal_streams import after, alarms, from_the_start, run, stream

from gandiag.core.errors import InputError
from gandiag.core.signals import Record
from gandiag.monitor.detectors import DETECTORS
from gandiag.monitor.engine import CAUSES, Engine


def named(record, player, *, shared=()):
    signals = {name if name in shared else f"{name}@{player}": value for name, value in record.signals.items()}
    return Record(record.step, record.time, signals)


def together(*records):
    return [
        Record(group[0].step, group[0].time, {k: v for record in group for k, v in record.signals.items()})
        for group in zip(*records, strict=True)
    ]


# --- order -----------------------------------------------------------------------------------------------------------


def test_causes_come_before_what_follows_from_them_and_no_two_explain_each_other_away():
    order = list(CAUSES)
    assert order[:2] == ["broken_loop", "non_finite"]
    assert set(CAUSES) == set(DETECTORS.names())
    for kind, consequences in CAUSES.items():
        assert kind not in consequences
        assert not consequences & {"broken_loop", "non_finite"}


def test_a_consequence_is_information_and_names_its_cause():
    change = from_the_start(generator_gradient_zero=1.0, generator_gradient_norm=0.0, auc=1.0, variance_ratio=0.01)
    alerts = run(Engine(), stream(change=change))
    assert alarms(alerts) == ["broken_loop"]
    rest = alerts[1:]
    assert {"mode_collapse"} <= {alert.kind for alert in rest}
    for alert in rest:
        assert alert.severity == "info"
        assert alert.message.endswith("(a usual consequence of the broken_loop of step 50)")


def test_of_one_record_the_cause_comes_first():
    change = from_the_start(variance_ratio=0.01, auc=0.5, generator_update_ratio=0.7)
    alerts = [alert for alert in run(Engine(), stream(change=change)) if alert.step == 1000]
    assert [alert.kind for alert in alerts] == ["mode_collapse", "losing_discriminator"]


def test_what_came_first_is_told_in_full():
    def change(step, _):
        return ({"discriminator_steps": 90.0 * step}) | ({"variance_ratio": 0.01} if step > 3000 else {})

    alerts = run(Engine(), stream(steps=5000, change=change))
    assert [(alert.kind, alert.severity) for alert in alerts] == [("imbalance", "info"), ("mode_collapse", "warning")]


def test_long_after_a_cause_is_over_an_alert_stands_for_itself():
    def change(step, _):
        if 1500 < step <= 2000:
            return {"variance_ratio": 0.01}
        return {"auc": 0.2} if step > 5000 else {}

    alerts = run(Engine(), stream(steps=7000, change=change))
    assert [(alert.kind, alert.severity) for alert in alerts] == [
        ("mode_collapse", "warning"),
        ("losing_discriminator", "warning"),
    ]


# --- players ---------------------------------------------------------------------------------------------------------


def test_of_two_pairs_the_ill_one_is_named():
    ill = [named(record, "B") for record in stream(seed=1, change=after(1500, variance_ratio=0.01))]
    well = [named(record, "A") for record in stream(seed=2)]
    alerts = run(Engine(), together(well, ill))
    assert alarms(alerts) == ["mode_collapse"]
    assert alerts[0].message.startswith("B: ")
    assert "variance_ratio@B" in alerts[0].evidence


def test_one_generator_against_several_discriminators():
    shared = {name for name in stream(steps=50)[0].signals if name.startswith("generator_")}
    first = [named(record, "fine", shared=shared) for record in stream(seed=1)]
    second = [named(record, "coarse", shared=shared) for record in stream(seed=1, change=from_the_start(auc=0.2))]
    alerts = run(Engine(), together(first, second))
    assert alarms(alerts) == ["losing_discriminator"]
    assert alerts[0].message.startswith("coarse: ")
    # What the generator lacks is told of each pair that it plays in.
    stuck = from_the_start(generator_gradient_zero=1.0, generator_gradient_norm=0.0)
    both = [[named(r, name, shared=shared) for r in stream(seed=1, change=stuck)] for name in ("fine", "coarse")]
    labels = [a.message.split(":")[0] for a in run(Engine(), together(*both)) if a.kind == "broken_loop"]
    assert labels == ["coarse", "fine"]


@pytest.mark.parametrize(
    ("generators", "discriminators", "of", "told"),
    [
        (["A", "B"], ["A", "B"], "", "A"),
        (["A", "B"], ["A", "B"], "@B", "B"),
        (["A", "B"], [""], "@B", "B"),
        ([""], ["A", "B"], "", "A"),
        (["G"], ["A", "B"], "@G", "A"),
    ],
)
def test_a_quality_that_falls_is_told_once(generators, discriminators, of, told):
    records = []
    for place, value in enumerate([50.0, 40.0, 30.0, 20.0, 10.0, 40.0, 45.0, 50.0, 55.0]):
        step = 1000 * (place + 1)
        steps = {f"generator_steps@{name}".rstrip("@"): step for name in generators}
        steps |= {f"discriminator_steps@{name}".rstrip("@"): step for name in discriminators}
        quality = {f"quality_fid{of}": value, f"quality_fid_better{of}": -1.0, f"quality_fid_stderr{of}": 0.5}
        records.append(Record(step, float(place), {**steps, **quality}))
    alerts = [alert for alert in run(Engine(), records) if alert.kind == "non_convergence"]
    assert [alert.severity for alert in alerts] == ["warning"]
    assert alerts[0].message.startswith(f"{told}: ")


def test_several_generators_against_one_discriminator():
    shared = {name for name in stream(steps=50)[0].signals if name.startswith("discriminator_")}
    one = [named(record, "one", shared=shared) for record in stream(seed=1)]
    two = [named(r, "two", shared=shared) for r in stream(seed=1, change=after(1500, variance_ratio=0.01))]
    alerts = run(Engine(), together(one, two))
    assert [alert.message.split(":")[0] for alert in alerts if alert.severity != "info"] == ["two"]


def test_a_single_named_player_is_named():
    records = [named(record, "solo") for record in stream(change=after(1500, variance_ratio=0.01))]
    alerts = run(Engine(), records)
    assert alarms(alerts) == ["mode_collapse"]
    assert alerts[0].message.startswith("solo: ")


# --- state -----------------------------------------------------------------------------------------------------------


def eventful(step, signals):
    if step <= 1500:
        return {}
    if step <= 2500:
        return {"variance_ratio": 0.01, "vendi_ratio": 0.05 if step > 1900 else 0.8, "quality_fid": 50.0 + step / 100}
    if step <= 3500:
        return {"auc": 0.999, "quality_fid": 200.0, "quality_fid_stderr": 1.0}
    return {"generator_gradient_norm": 3.0 * 1.4 ** ((step - 3500) / 50), "non_finite_losses": float(step == 4300)}


@pytest.mark.parametrize("every", [50, 130])
def test_a_run_that_was_cut_anywhere_gives_the_same_alerts(every):
    records = stream(steps=4500, every=every, change=eventful)
    whole = Engine()
    expected = [[alert.to_dict() for alert in whole.update(record)] for record in records]
    assert sum(map(len, expected)) >= 5
    # One engine that is replaced at every record by its own restored copy has been cut at every point.
    engine = Engine()
    for record, alerts in zip(records, expected, strict=True):
        saved = json.loads(json.dumps(engine.state_dict(), allow_nan=False))
        engine = Engine()
        engine.load_state_dict(saved)
        assert [alert.to_dict() for alert in engine.update(record)] == alerts
    assert engine.state_dict() == whole.state_dict()


def test_a_restored_engine_shares_nothing_with_its_state():
    engine = Engine()
    records = stream(steps=3000)
    run(engine, records[:30])
    state = engine.state_dict()
    text = json.dumps(state)
    other = Engine()
    other.load_state_dict(state)
    run(other, records[30:])
    run(engine, records[30:])
    assert json.dumps(state) == text


def test_the_state_of_a_long_run_is_small():
    engine, sizes = Engine(), []
    records = stream(steps=20_000, every=100)
    for part in (records[:100], records[100:]):
        run(engine, part)
        sizes.append(len(json.dumps(engine.state_dict())))
    assert sizes[1] < 1.1 * sizes[0] < 200_000
    # A log of every step fills all windows: it is bounded by their length, and no more.
    dense = Engine()
    run(dense, [Record(step, 0.0, records[step % 200].signals) for step in range(1, 1500)])
    assert len(json.dumps(dense.state_dict())) < 600_000


@pytest.mark.parametrize(
    "state",
    [
        {},
        {"state": 99},
        {"state": 1, "signals": 3},
        {"state": 1, "signals": [], "detectors": {"": {"mode_collapse": {}}}, "causes": {}, "told": {}},
    ],
)
def test_what_is_no_state_is_refused_and_changes_nothing(state):
    engine = Engine()
    run(engine, stream(steps=1000))
    before = json.dumps(engine.state_dict())
    with pytest.raises(InputError, match="no state of the monitor's engine"):
        engine.load_state_dict(state)
    assert json.dumps(engine.state_dict()) == before


def test_the_same_records_give_the_same_alerts():
    records = stream(change=eventful)
    assert run(Engine(), records) == run(Engine(), records)


# --- odd streams -----------------------------------------------------------------------------------------------------


def test_records_that_repeat_a_step_or_go_back_do_no_harm():
    records = stream(steps=3000)
    engine = Engine()
    rng = random.Random(0)
    for record in records:
        for _ in range(rng.choice([1, 1, 3])):
            assert alarms(engine.update(record)) == []
    for record in records[20:]:  # a run that was taken up again from an earlier step
        assert alarms(engine.update(record)) == []


def test_an_empty_record_does_no_harm():
    engine = Engine()
    assert engine.update(Record(0, 0.0)) == []
    assert engine.update(Record(50, 0.1)) == []


def test_a_run_that_is_watched_from_the_middle_warms_up_from_there():
    records = [Record(r.step + 100_000, r.time, r.signals) for r in stream(steps=900, change=from_the_start(auc=0.2))]
    assert alarms(run(Engine(), records)) == []


# --- inactive rules --------------------------------------------------------------------------------------------------


def test_before_the_first_record_every_rule_is_inactive():
    assert sorted(Engine().inactive()) == DETECTORS.names()


def test_rules_without_signals_say_what_they_lack():
    engine = Engine()
    run(engine, stream(steps=100, only={"generator_loss", "discriminator_loss", "variance_ratio"}))
    inactive = engine.inactive()
    assert "mode_collapse" not in inactive
    assert inactive["losing_discriminator"] == "needs auc"
    assert inactive["discriminator_overfitting"] == "needs held_out_auc"
    assert inactive["mode_collapse (Vendi score)"] == "needs vendi_ratio"
    assert inactive["non_convergence (travel of the generator)"] == "needs generator_update_ratio"
    assert "non_convergence (late fall)" not in inactive
    run(engine, [named(Record(150, 1.0, {"auc": 0.7}), "A")])
    assert "losing_discriminator" not in engine.inactive()


def test_what_a_rule_lacks_is_said_without_a_need_that_holds_another():
    inactive = Engine().inactive()
    assert inactive["mode_dropping"] == "needs coverage, or vendi_ratio"
    assert (
        inactive["vanishing_gradient"]
        == "needs generator_gradient_norm, or generator_gradient_zero, or auc and loss_slope"
    )


def test_a_silenced_kind_is_neither_told_nor_inactive():
    engine = Engine({"mode_collapse": False})
    alerts = run(engine, stream(change=after(1500, variance_ratio=0.01)))
    assert "mode_collapse" not in {alert.kind for alert in alerts}
    assert "mode_collapse" not in engine.inactive()


# --- cost ------------------------------------------------------------------------------------------------------------


def test_a_record_costs_less_than_a_millisecond():
    engine = Engine()
    costs = []
    for record in stream(steps=5_000):
        start = time.process_time()
        engine.update(record)
        costs.append(time.process_time() - start)
    assert sorted(costs)[len(costs) // 4] < 1e-3  # the lower quartile: the machine may be busy with other things
