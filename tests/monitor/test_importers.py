from __future__ import annotations

import json
import math
import random
import sys

import pytest

import gandiag
from gandiag.core.errors import InputError, UnknownNameError, UsageError
from gandiag.core.signals import SIGNALS
from gandiag.monitor.importers.csv import read_csv
from gandiag.monitor.importers.names import guess, mapped
from gandiag.monitor.importers.series import Series, joined
from gandiag.monitor.importers.tensorboard import read_events


def series(name: str, values: list[float], every: int = 50, run: str = "", shift: int = 0) -> Series:
    one = Series(name, run)
    for place, value in enumerate(values, 1):
        one.add(place * every + shift, value, place / 2)
    return one


class TestNames:
    @pytest.mark.parametrize(
        ("name", "signal"),
        [
            # Names of public GAN scripts: PyTorch's DCGAN tutorial and Ignite's example, PyTorch-GAN, StudioGAN,
            # StyleGAN, CycleGAN, Lightning's and Keras's examples, Weights & Biases' tutorials.
            ("Loss/D", "discriminator_loss"),
            ("Loss/G", "generator_loss"),
            ("Loss_D", "discriminator_loss"),
            ("loss_g", "generator_loss"),
            ("d_loss", "discriminator_loss"),
            ("g_loss", "generator_loss"),
            ("D loss", "discriminator_loss"),
            ("errD", "discriminator_loss"),
            ("errG", "generator_loss"),
            ("lossD", "discriminator_loss"),
            ("lossd", "discriminator_loss"),
            ("DLoss", "discriminator_loss"),
            ("loss_discriminator", "discriminator_loss"),
            ("generator_loss", "generator_loss"),
            ("train/gen_loss", "generator_loss"),
            ("dis_loss", "discriminator_loss"),
            ("Critic Loss", "discriminator_loss"),
            ("train_loss_gen", "generator_loss"),
            ("exp-3/2024-01-01/Loss/D", "discriminator_loss"),
            ("Loss/D/loss", "discriminator_loss"),
            ("loss_G_A", "generator_loss@A"),
            ("loss_D_B", "discriminator_loss@B"),
            ("grad_norm/G", "generator_gradient_norm"),
            ("train/netG_grad_norm", "generator_gradient_norm"),
            ("netD_gradnorm", "discriminator_gradient_norm"),
            ("GradNorm/Discriminator", "discriminator_gradient_norm"),
            ("G/gradient_norm_max", "generator_gradient_norm_max"),
            ("lr_g", "generator_learning_rate"),
            ("learning_rate/D", "discriminator_learning_rate"),
            ("D/AUC", "auc"),
            ("Loss/scores/real", "real_score"),
            ("logits/fake", "fake_score"),
            ("D_logits_real", "real_score"),
            ("real_prob", "real_confidence"),
            # gandiag's own, as its sinks write them.
            ("gandiag/auc", "auc"),
            ("gandiag/A/generator_loss", "generator_loss@A"),
            ("gandiag/quality_kid", "quality_kid"),
            ("generator_gradient_norm@A", "generator_gradient_norm@A"),
            ("variance_ratio", "variance_ratio"),
        ],
    )
    def test_what_is_understood(self, name, signal):
        assert guess(name, [-3.0, 4.0]) == signal

    @pytest.mark.parametrize("name", ["D(x)", "D_x", "d(x)", "D(G(z))", "D_G_z1", "D(G(z1))", "D_gz"])
    def test_an_output_is_a_probability_or_a_score_by_its_values(self, name):
        side = "fake" if "g" in name.lower() else "real"
        assert guess(name, [0.1, 0.9]) == f"{side}_confidence"
        assert guess(name, [-0.1, 0.9]) == f"{side}_score"

    @pytest.mark.parametrize(
        "name",
        [
            "loss",
            "val_loss_g",
            "test/d_loss",
            "errD_real",
            "D_loss_fake",
            "r1_penalty",
            "loss_gp_d",
            "cycle_A",
            "G_A",
            "D_A",
            "lr",
            "epoch",
            "fid",
            "acc_real",
            "weight_decay",
            "D_real",
            "Loss/signs/real",
            "g_and_d_loss",
            "",
            "/",
            "0.0",
            "dog_loss",
            "gdp",
            "loss_identity_G",
            "time",
            "G_l1_loss",
            "kl_loss_g",
        ],
    )
    def test_what_is_left_alone(self, name):
        assert guess(name, [0.5]) is None

    @pytest.mark.parametrize("name", ["real_score", "train/real_score", "real_score@A"])
    def test_a_plain_score_is_a_probability_or_a_score_by_its_values(self, name):
        behind = "@A" if name.endswith("@A") else ""
        assert guess(name, [0.1, 0.9]) == f"real_confidence{behind}"
        assert guess(name, [-0.1, 0.9]) == f"real_score{behind}"
        assert guess(name.replace("real", "fake"), [0.1, 0.9]) == f"fake_confidence{behind}"

    def test_a_score_of_gandiag_s_own_sinks_stays_one(self):
        assert guess("gandiag/real_score", [0.1, 0.9]) == "real_score"
        assert guess("gandiag/A/fake_score", [0.1, 0.9]) == "fake_score@A"

    def test_overrides(self):
        found = mapped([series("mystery", [1.0]), series("d_loss", [2.0])], {"mystery": "generator_loss", "d_loss": ""})
        assert {signal: one.name for signal, one in found.series.items()} == {"generator_loss": "mystery"}
        assert found.unmapped == {"d_loss": "left out"}

    @pytest.mark.parametrize(
        ("overrides", "error", "text"),
        [
            ({"mistery": "auc"}, UnknownNameError, "did you mean 'mystery'"),
            ({"mystery": "generator_lost"}, UnknownNameError, "did you mean 'generator_loss'"),
            ({"mystery": "auc", "d_loss": "auc"}, UsageError, "two series"),
        ],
    )
    def test_wrong_overrides(self, overrides, error, text):
        with pytest.raises(error, match=text):
            mapped([series("mystery", [1.0]), series("d_loss", [2.0])], overrides)

    def test_two_names_for_one_signal(self):
        found = mapped([series("errD", [1.0]), series("d_loss", [2.0, 3.0])])
        assert found.series["discriminator_loss"].name == "d_loss"  # the one that says more
        assert found.unmapped == {"errD": "discriminator_loss is taken from d_loss"}

    def test_several_runs_are_not_mixed(self):
        with pytest.raises(InputError, match="several runs"):
            mapped([series("a/d_loss", [1.0], run="a"), series("b/d_loss", [2.0], run="b")])
        found = mapped([series("loss_D/loss", [1.0], run="loss_D"), series("loss_G/loss", [2.0], run="loss_G")])
        assert set(found.series) == {"generator_loss", "discriminator_loss"}


class TestJoining:
    def test_windows_of_fifty_steps(self):
        dense = Series("norms")
        for step in range(100):
            dense.add(step, float(step % 50))
        last, mean = Series("lr"), Series("loss")
        for step in (0, 49, 99):
            last.add(step, step / 10)
            mean.add(step, float(step))
        records = joined({"generator_gradient_norm": dense, "generator_learning_rate": last, "generator_loss": mean})
        assert [record.step for record in records] == [49, 99]
        assert records[0].signals == {
            "generator_gradient_norm": 24.5,
            "generator_gradient_norm_max": 49.0,
            "generator_learning_rate": 4.9,
            "generator_loss": 24.5,
            "non_finite_generator_gradients": 0.0,
            "non_finite_losses": 0.0,
        }

    def test_series_of_different_steps_meet(self):
        records = joined(
            {
                "generator_loss": series("g", [1.0, 2.0, 3.0], every=100),
                "discriminator_loss": series("d", [4.0, 5.0, 6.0], every=100, shift=-1),
                "auc": series("auc", [0.5], every=300),
            }
        )
        both = [record for record in records if {"generator_loss", "discriminator_loss"} <= record.signals.keys()]
        assert len(both) == 2
        assert sum("auc" in record.signals for record in records) == 1
        assert [record.step for record in records] == sorted({record.step for record in records})

    def test_what_is_not_finite_is_counted(self):
        (record,) = joined(
            {
                "generator_loss": series("g", [1.0, math.nan, math.inf], every=10),
                "real_score@A": series("s", [math.nan], every=15),
            }
        )
        assert record.signals["non_finite_losses"] == 2
        assert record.signals["non_finite_scores@A"] == 1
        assert record.signals["non_finite_step"] == 15
        assert record.signals["generator_loss"] == 1.0
        assert "real_score@A" not in record.signals

    def test_the_mean_of_the_largest_numbers_is_no_crash(self):
        (record,) = joined({"generator_loss": series("g", [sys.float_info.max] * 4, every=10)})
        assert record.signals["non_finite_losses"] == 0
        assert all(math.isfinite(value) for value in record.signals.values())

    def test_a_restart_undoes_what_it_repeats(self):
        one = Series("d_loss")
        for step, value in [(50, 1.0), (100, 2.0), (150, 3.0), (100, 4.0), (150, 5.0)]:
            one.add(step, value)
        assert list(zip(one.steps, one.values, strict=True)) == [(50, 1.0), (100, 2.0), (100, 4.0), (150, 5.0)]
        assert (one.undone, one.resumptions) == (1, 1)


class TestTables:
    def read(self, tmp_path, text, name="log.csv"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        found = read_csv(path)
        (talk,) = found.notes
        return {one.name: (one.steps, one.values) for one in found}, talk

    @pytest.mark.parametrize(
        "text",
        [
            "step,d_loss,g_loss\n50,1.5,2\n100,2.5,3\n",
            "step;d_loss;g_loss\n50;1,5;2\n100;2,5;3\n",
            "step\td_loss\tg_loss\r\n50\t1.5\t2\r\n100\t2.5\t3\r\n",
            "d_loss|g_loss|step\n1.5|2|50\n2.5|3|100",
            "step d_loss  g_loss\n50 1.5   2\n100 2.5 3\n",
            "# step d_loss g_loss\n50 1.5 2\n100 2.5 3\n",
            "\ufeffstep, d_loss, g_loss\n50, 1.5, 2\n\n100, 2.5, 3\n",
            '"step","d_loss","g_loss"\n"50","1.5","2"\n"100","2.5","3"\n',
            "phase,step,d_loss,g_loss\ntrain,50,1.5,2\ntrain,100,2.5,3\n",
            "step,d_loss,g_loss\n50,1.5,2\nstep,d_loss,g_loss\n100,2.5,3\n",
            "step,d_loss,g_loss\n50,1.5,2\n100,2.5,3\n150,2.",
        ],
    )
    def test_tables_of_all_sorts(self, tmp_path, text):
        found, talk = self.read(tmp_path, text)
        assert found == {"d_loss": ([50, 100], [1.5, 2.5]), "g_loss": ([50, 100], [2.0, 3.0])}
        assert "'step'" in talk

    def test_lightning_s_sparse_rows(self, tmp_path):
        text = "d_loss,epoch,g_loss,step\n0.5,0,,49\n,0,0.7,49\n0.25,0,,99\n,0,nan,99\n"
        found, _ = self.read(tmp_path, text)
        assert found["d_loss"] == ([49, 99], [0.5, 0.25])
        assert found["g_loss"][0] == [49, 99]
        assert math.isnan(found["g_loss"][1][1])

    def test_an_export_of_weights_and_biases(self, tmp_path):
        text = '"Step","run - d_loss","run - d_loss__MIN","run - d_loss__MAX"\n"0","1","0","2"\n"50","3","2","4"\n'
        found, _ = self.read(tmp_path, text)
        assert found == {"run - d_loss": ([0, 50], [1.0, 3.0])}

    def test_steps_that_begin_anew_each_epoch_are_no_steps(self, tmp_path):
        rows = "".join(f"{epoch},{batch},0.5\n" for epoch in range(5) for batch in range(3))
        found, talk = self.read(tmp_path, f"epoch,iter,d_loss\n{rows}")
        assert found["d_loss"][0] == list(range(1, 16))
        assert "rows are counted" in talk

    @pytest.mark.parametrize("epochs", [2, 4, 5, 100])
    @pytest.mark.parametrize("name", ["batch", "iter", "it", "step"])
    def test_no_epoch_is_lost_however_few_there_are(self, tmp_path, name, epochs):
        rows = "".join(f"{epoch},{batch},{epoch}.5\n" for epoch in range(epochs) for batch in range(8))
        found, talk = self.read(tmp_path, f"epoch,{name},d_loss\n{rows}")
        assert found["d_loss"][0] == list(range(1, epochs * 8 + 1))
        assert "rows are counted" in talk
        assert "undone" not in talk

    @pytest.mark.parametrize(("name", "epochs"), [("batch", 2), ("it", 4), ("step", 4)])
    def test_steps_that_return_to_their_least_each_time_are_no_steps(self, tmp_path, name, epochs):
        rows = "".join(f"{batch},0.5\n" for _ in range(epochs) for batch in range(1, 9))
        found, talk = self.read(tmp_path, f"{name},d_loss\n{rows}")
        assert found["d_loss"][0] == list(range(1, epochs * 8 + 1))
        assert "rows are counted" in talk

    def test_an_illness_of_an_earlier_epoch_is_seen(self, tmp_path):
        rows = "".join(
            f"{row // 500},{row % 500},{'nan' if 750 <= row < 1000 else '1.2'},0.9\n" for row in range(4 * 500)
        )
        path = tmp_path / "log.csv"
        path.write_text(f"epoch,batch,loss_D,loss_G\n{rows}")
        diagnosis = gandiag.diagnose(path)
        assert [(alert.kind, alert.severity) for alert in diagnosis.alerts] == [("non_finite", "critical")]
        assert diagnosis.last_step == 2000

    @pytest.mark.parametrize(
        ("steps", "epochs", "kept", "said"),
        [
            ((50, 100, 150, 100, 150), None, [50, 100, 100, 150], "3 values were undone by 1 resumption"),
            ((50, 100, 150, 100, 150), (0, 0, 1, 0, 1), [50, 100, 100, 150], "2 values were undone by 1 resumption"),
            ((50, 100, 150, 200, 100, 200, 150), None, [50, 100, 100, 150], "9 values were undone by 2 resumptions"),
            ((50, 100, 150), None, [50, 100, 150], None),
            ((50, 100, 150, 50, 100), None, [50, 50, 100], "6 values were undone by 1 resumption"),
        ],
    )
    def test_a_resumed_run_says_what_it_undid(self, tmp_path, steps, epochs, kept, said):
        rows = "".join(f"{step},{epoch},0.5,0.6\n" for step, epoch in zip(steps, epochs or steps, strict=True))
        found, talk = self.read(tmp_path, f"step,{'epoch' if epochs else 'other'},d_loss,g_loss\n{rows}")
        assert found["d_loss"][0] == found["g_loss"][0] == kept
        assert talk == "steps from the column 'step'" + (f"; {said}" if said else "")

    def test_a_column_with_a_cell_that_is_no_number_is_named(self, tmp_path):
        path = tmp_path / "log.csv"
        rows = "".join(f"{row},train,{'1e' if row == 59 else '1.5'},0.5\n" for row in range(1, 101))
        path.write_text(f"step,phase,d_loss,g_loss\n{rows}")
        diagnosis = gandiag.diagnose(path)
        assert diagnosis.unmapped == {"d_loss": "row 60: '1e' is no number", "phase": "row 2: 'train' is no number"}
        assert dict(diagnosis.mapping) == {"generator_loss": "g_loss"}
        with pytest.raises(InputError, match="'d_loss' cannot be mapped: row 60: '1e' is no number"):
            gandiag.diagnose(path, map={"d_loss": "discriminator_loss"})
        assert gandiag.diagnose(path, map={"d_loss": ""}).unmapped["d_loss"] == "left out"

    @pytest.mark.parametrize(
        ("text", "g_loss"),
        [
            ("step,d_loss,g_loss\n50,1.5,2\n100,2.5,3e-", [2.0]),
            ("step;d_loss;g_loss\n50;1,5;2,0\n100;2,5;3,0\n150;2,5;3,0e", [2.0, 3.0]),
        ],
    )
    def test_a_last_cell_that_a_kill_cut_short_was_not_measured(self, tmp_path, text, g_loss):
        found, _ = self.read(tmp_path, text)
        assert found["g_loss"][1] == g_loss
        assert len(found["d_loss"][1]) == len(g_loss) + 1

    def test_only_the_very_last_cell_may_be_cut_short(self, tmp_path):
        found, _ = self.read(tmp_path, "step,d_loss,g_loss\n50,1.5,2\n100,1e,3\n")
        assert found == {"g_loss": ([50, 100], [2.0, 3.0])}
        found, _ = self.read(tmp_path, "step,d_loss,g_loss\n50,1.5,2e\n100,1.5,3\n")
        assert found == {"d_loss": ([50, 100], [1.5, 1.5])}

    def test_where_no_column_can_be_read_the_first_bad_cell_is_named(self, tmp_path):
        with pytest.raises(InputError, match=r"no columns of numbers.*'d_loss', row 2: 'x' is no number"):
            self.read(tmp_path, "step,d_loss\n1,x\n2,3\n")

    def test_probabilities_give_the_same_alerts_under_either_name(self, tmp_path):
        rows = "".join(f"{step},0.9999,0.0001,1.2,0.9\n" for step in range(10, 4010, 10))
        told = []
        for names in ("D_x,D_G_z", "real_score,fake_score"):
            path = tmp_path / "log.csv"
            path.write_text(f"step,{names},d_loss,g_loss\n{rows}")
            diagnosis = gandiag.diagnose(path)
            told.append([(alert.step, alert.to_dict()) for alert in diagnosis.alerts])
            assert {"real_confidence", "fake_confidence"} <= diagnosis.mapping.keys()
        assert told[0] == told[1] != []

    def test_a_square_beyond_a_float_s_range_stays_out_of_strict_json(self, tmp_path):
        path = tmp_path / "log.csv"
        rows = "".join(f"{step},0.2,1e200,{step / 1e4}\n" for step in range(50, 4050, 50))
        path.write_text(f"step,auc,pairwise_distance_ratio,d_loss\n{rows}")
        diagnosis = gandiag.diagnose(path)
        assert {alert.kind for alert in diagnosis.alerts} == {"losing_discriminator"}
        json.loads(diagnosis.to_json(), parse_constant=pytest.fail)

    @pytest.mark.parametrize("seed", range(4))
    def test_numbers_of_any_size_make_a_diagnosis_of_strict_json(self, tmp_path, seed):
        rng = random.Random(seed)
        names = [name for name in SIGNALS if not name.startswith("non_finite") and rng.random() < 0.7]
        rows = (
            ",".join([str(step), *(f"{rng.choice((1, -1)) * 10 ** rng.uniform(-308, 308):e}" for _ in names)])
            for step in range(10, 3010, 10)
        )
        path = tmp_path / "log.csv"
        path.write_text(f"step,{','.join(names)}\n" + "\n".join(rows))
        json.loads(gandiag.diagnose(path).to_json(), parse_constant=pytest.fail)

    def test_epochs_are_steps_of_last_resort(self, tmp_path):
        _, talk = self.read(tmp_path, "epoch,d_loss\n1,0.5\n2,0.5\n")
        assert "log a column of steps" in talk

    @pytest.mark.parametrize("cell", ["1_", "1__0", "1_.5", "_1"])
    def test_a_cell_that_is_nearly_a_number_is_none(self, tmp_path, cell):
        found, _ = self.read(tmp_path, f"step,name,d_loss\n1,{cell},1_000\n2,3,1_000.5\n")
        assert found == {"d_loss": ([1, 2], [1000.0, 1000.5])}

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("", "header row"),
            ("1,2,3\n4,5,6\n", "no header row"),
            ("step,d_loss\n", "no columns of numbers"),
            ("step,name\n1,a\n2,b\n", "no columns of numbers"),
            ("step,d_loss\n1,2,3\n4,5\n", "row 2: 3 cells"),
            ("step,d_loss,d_loss\n1,2,3\n", "two columns"),
            (b"step,d_loss\n1,\xff\xfe\n", "UTF-8"),
            (bytes(range(256)) * 5, "no table|UTF-8|header"),
            ("step," + "x" * (1 << 20), "longer than"),
            ('step,d_loss\n1,"' + "x" * 200_000 + '"\n', "no table"),
            ("step,d_loss\n-1,2\n-2,3\n", None),
            ("step,d_loss\n" + "9" * 400 + ",2\n1e300,3\n", None),
        ],
    )
    def test_hostile_tables(self, tmp_path, text, said):
        if said is None:  # odd, and yet readable: such steps are none
            assert "rows are counted" in self.read(tmp_path, text)[1]
            return
        with pytest.raises(InputError, match=said) as caught:
            self.read(tmp_path, text)
        assert len(str(caught.value).splitlines()) == 1


class TestTensorBoard:
    def write(self, folder, values):
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(folder)) as writer:
            for step in range(50, 3050, 50):
                for name, value in values.items():
                    writer.add_scalar(name, value(step) if callable(value) else value, step)
        return folder

    def test_a_run_is_read_and_diagnosed(self, tmp_path):
        def loss(step):
            return float("nan") if step > 2000 else 1.0

        values = {"Loss/D": loss, "Loss/G": 1.5, "D(x)": 0.6, "D(G(z))": 0.4, "other": 3.0}
        diagnosis = gandiag.diagnose(self.write(tmp_path / "run", values))
        assert diagnosis.format == "tensorboard"
        assert dict(diagnosis.mapping) == {
            "generator_loss": "Loss/G",
            "discriminator_loss": "Loss/D",
            "real_confidence": "D(x)",
            "fake_confidence": "D(G(z))",
        }
        assert diagnosis.unmapped == {"other": "not understood"}
        (alert,) = [alert for alert in diagnosis.alerts if alert.kind == "non_finite"]
        assert 2050 <= alert.step <= 2200
        assert diagnosis.last_good_step <= 2050
        assert "mode_collapse" in diagnosis.inactive
        json.loads(diagnosis.to_json(), parse_constant=pytest.fail)

    def test_the_sink_s_own_names_come_back(self, tmp_path):
        from gandiag.core.signals import Record
        from gandiag.monitor.sinks import SINKS

        sink = SINKS.load("tensorboard")(str(tmp_path))
        names = {name: (place + 1) / 4 for place, name in enumerate(SIGNALS) if not name.startswith("non_finite")}
        sink.record(Record(100, 1.0, {**names, "auc@A": 0.5}))
        sink.close()
        diagnosis = gandiag.diagnose(tmp_path)
        assert diagnosis.unmapped == {}
        found = diagnosis.log.records[0].signals
        assert {name: found[name] for name in names} == pytest.approx(names)
        assert found["auc@A"] == 0.5

    def logged(self, folder, values):
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(folder)) as writer:
            for name, step, value in values:
                writer.add_scalar(name, value, step)
        return read_events(folder)

    @pytest.mark.parametrize("epochs", [3, 4, 100])
    def test_steps_that_begin_anew_each_epoch_are_counted(self, tmp_path, epochs):
        values = [
            (name, batch, epoch + batch / 8)
            for epoch in range(epochs)
            for batch in range(8)
            for name, every in (("d_loss", 1), ("g_loss", 4))
            if batch % every == 0
        ]
        values += [("lr_g", epoch, 0.1) for epoch in range(epochs)]
        found = self.logged(tmp_path, values)
        steps = {one.name: one.steps for one in found}
        assert steps == {
            "d_loss": list(range(1, epochs * 8 + 1)),
            "g_loss": list(range(1, epochs * 8 + 1, 4)),
            "lr_g": list(range(epochs)),
        }
        assert found[0].values[8:10] == [1.0, 1.125]
        (note,) = found.notes
        assert note == f"steps of 'd_loss' begin anew {epochs - 1} times: rows are counted"
        assert gandiag.diagnose(tmp_path).notes == (note,)

    @pytest.mark.parametrize("again", [50, 100])
    def test_a_resumed_run_says_what_it_undid(self, tmp_path, again):
        steps = [*range(50, 350, 50), *range(again, 350, 50)]
        found = self.logged(tmp_path, [(name, step, 1.0) for step in steps for name in ("d_loss", "g_loss")])
        assert found[0].steps == [*range(50, again + 50, 50), *range(again, 350, 50)]
        assert found.notes == (f"{2 * (300 - again) // 50} values were undone by 1 resumption",)

    def test_of_a_run_that_was_repeated_the_last_one_is_read(self, tmp_path):
        for run in range(3):
            found = self.logged(tmp_path, [("d_loss", step, float(run)) for step in range(10, 60, 10)])
        assert (found[0].steps, found[0].values) == ([10, 10, 10, 20, 30, 40, 50], [0.0, 1.0, 2.0, 2.0, 2.0, 2.0, 2.0])
        assert found.notes == ("8 values were undone by 2 resumptions",)

    def test_a_run_that_went_on_has_no_notes(self, tmp_path):
        assert self.logged(tmp_path, [("d_loss", step, 1.0) for step in range(9)]).notes == ()

    def test_nested_folders_as_add_scalars_writes_them(self, tmp_path):
        from torch.utils.tensorboard import SummaryWriter

        with SummaryWriter(str(tmp_path)) as writer:
            for step in (50, 100):
                writer.add_scalars("loss", {"D": 1.0, "G": 2.0}, step)
        diagnosis = gandiag.diagnose(tmp_path)
        assert dict(diagnosis.mapping) == {"generator_loss": "loss_G/loss", "discriminator_loss": "loss_D/loss"}
        file = next((tmp_path / "loss_D").glob("*tfevents*"))
        assert [one.values for one in read_events(file)] == [[1.0, 1.0]]

    def test_two_runs_in_one_folder(self, tmp_path):
        self.write(tmp_path / "a", {"d_loss": 1.0})
        self.write(tmp_path / "b", {"d_loss": 1.0})
        with pytest.raises(InputError, match=r"several runs.*'a', 'b'"):
            gandiag.diagnose(tmp_path)
        assert gandiag.diagnose(tmp_path / "a").last_step == 3000

    @pytest.mark.parametrize("damage", ["empty", "cut", "noise", "flipped"])
    def test_damaged_event_files(self, tmp_path, damage):
        file = next(self.write(tmp_path, {"d_loss": 1.0}).glob("*tfevents*"))
        data = file.read_bytes()
        changed = {
            "empty": b"",
            "cut": data[: len(data) // 2 + 3],
            "noise": bytes(range(256)) * 20,
            "flipped": data[:400] + bytes(40) + data[440:],
        }
        file.write_bytes(changed[damage])
        if damage in ("cut", "flipped"):  # what comes before is good
            assert 0 < len(gandiag.diagnose(tmp_path).log.records) < 60
            return
        with pytest.raises(InputError) as caught:
            gandiag.diagnose(tmp_path)
        assert len(str(caught.value).splitlines()) == 1
