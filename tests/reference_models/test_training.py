from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from small_runs import Pictures, quiet, stop_at

from gandiag import GandiagError, InputError, Latent, TrainingError, TrainingRequest, UsageError, load_checkpoint
from gandiag.core.run_log import read_run_log
from reference_models.recipe import Choice, Optimizer, Player
from reference_models.trainer import TRAINER
from reference_models.training.loop import prepare
from reference_models.training.loops import train
from reference_models.training.step import _generator_gradient, _pair


def tensors(path: Path) -> dict[str, torch.Tensor]:
    found = load_checkpoint(path)
    state = torch.load(path.with_name("state.pt"), weights_only=True)
    networks = {"g": found.generator, "ema": found.generator_ema, "d": state["discriminator"]}
    return {f"{name}.{key}": value for name, state in networks.items() for key, value in state.items()}


def assert_same(one: Path, other: Path) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    assert all(torch.equal(value, second[key]) for key, value in first.items())


@pytest.mark.parametrize("stops", [(1,), (2, 3), (5,), (6, 10), (4, 8)])
def test_an_interrupted_run_ends_where_the_whole_run_does(make_run, stops):
    # Steps 1, 3 and 5 are within an epoch of two batches, and 1 to 3 and 5 within the interval of a penalty.
    whole = train(make_run("whole"), quiet, {}, resume=False)
    for index, step in enumerate(stops):
        with pytest.raises(KeyboardInterrupt):
            train(make_run("parts"), stop_at(step), {}, resume=index > 0)
        assert load_checkpoint(make_run("parts").folder.checkpoint).step == step
    assert_same(train(make_run("parts"), quiet, {}, resume=True), whole)


def test_an_endless_dataset_resumes_too(make_run):
    changes = {"data": Pictures(None, channels=3), "steps": 6}
    whole = train(make_run("whole", **changes), quiet, {}, resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(make_run("parts", **changes), stop_at(3), {}, resume=False)
    assert_same(train(make_run("parts", **changes), quiet, {}, resume=True), whole)


def test_several_updates_in_a_step_resume_too(make_run, recipe):
    players = {"generator": replace(recipe.generator, steps=2), "discriminator": replace(recipe.discriminator, steps=3)}
    whole = train(make_run("whole", steps=5, **players), quiet, {}, resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(make_run("parts", steps=5, **players), stop_at(2), {}, resume=False)
    assert_same(train(make_run("parts", steps=5, **players), quiet, {}, resume=True), whole)


STATEFUL = {
    "historical_averaging": {"weight": 0.1},
    "experience_replay": {"size": 16},
    "variational_encoder": {"network": "mlp", "config": {"hidden": [4]}},
    "spectral_normalisation": {},
    "instance_noise": {},
    "mode_seeking": {},
    "unrolling": {"updates": 2},
    "minibatch_discrimination": {"kernels": 2},
}


@pytest.mark.parametrize("name", STATEFUL)
def test_a_run_with_a_technique_resumes_too(make_run, recipe, name):
    changes = {"techniques": (Choice(name, STATEFUL[name]),), "steps": 5}
    if name == "unrolling":
        changes["loss"] = "non_saturating"
    whole = train(make_run("whole", **changes), quiet, {}, resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(make_run("parts", **changes), stop_at(3), {}, resume=False)
    assert_same(train(make_run("parts", **changes), quiet, {}, resume=True), whole)
    plain = train(make_run("plain", steps=5, loss=changes.get("loss", recipe.loss)), quiet, {}, resume=False)
    assert not torch.equal(tensors(whole)["g.seed.weight"], tensors(plain)["g.seed.weight"])


def test_dropout_labels_a_head_start_and_other_optimizers_resume_too(make_run, recipe):
    changes = {
        "generator": replace(
            recipe.generator, conditional=True, optimizer=Optimizer(1e-3, kind="rmsprop", momentum=0.5)
        ),
        "discriminator": replace(
            recipe.discriminator,
            conditional=True,
            config={"width": 2, "norm": "none", "dropout": 0.3},
            optimizer=Optimizer(1e-3, kind="sgd", momentum=0.9),
        ),
        "techniques": (Choice("auxiliary_classifier", {}),),
        "head_start": 3,
        "joint_batches": True,
        "simultaneous": True,
        "steps": 5,
    }
    whole = train(make_run("whole", **changes), quiet, {}, resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(make_run("parts", **changes), stop_at(3), {}, resume=False)
    assert_same(train(make_run("parts", **changes), quiet, {}, resume=True), whole)
    found = load_checkpoint(whole)
    assert found.conditioning.num_classes == 3
    with Image.open(whole.parent / "samples" / "step-000005.png") as picture:
        assert picture.size == (8 * 30 + 2, 3 * 30 + 2)  # a class a row


def test_a_head_start_trains_the_discriminator_alone(make_run, recipe):
    still = replace(recipe.discriminator, optimizer=Optimizer(1e-3))
    taken = []

    class Counted(Pictures):
        def read(self, start, stop):
            taken.append(start)
            return super().read(start, stop)

    run = make_run("run", Counted(None), steps=2, head_start=4, discriminator=still, penalties=())
    train(run, quiet, {}, resume=False)
    batches = [start // 16 for start in taken if start % 16 == 0]
    assert batches[:6] == [0, 1, 2, 3, 4, 5]


def test_only_the_first_samples_are_used_where_the_recipe_says_so(make_run):
    assert_same(
        train(make_run("few", Pictures(40), steps=4, samples=16), quiet, {}, resume=False),
        train(make_run("all", Pictures(16), steps=4), quiet, {}, resume=False),
    )


def test_the_simultaneous_generator_plays_against_the_discriminator_before_its_update(make_run, recipe):
    # A discriminator that moves far in its update: only the generator that waits for it sees that.
    far = replace(recipe.discriminator, optimizer=Optimizer(10.0, kind="sgd"))
    frozen = replace(recipe.discriminator, optimizer=Optimizer(0.0, kind="sgd"))
    made = {}
    for name, simultaneous, player in (("at once", True, far), ("still", True, frozen), ("in turn", False, far)):
        # The purpose of the noise differs between both ways, so each is compared with itself.
        settings = {"simultaneous": simultaneous, "discriminator": player, "penalties": (), "steps": 1}
        made[name] = tensors(train(make_run(name, **settings), quiet, {}, resume=False))["g.seed.weight"]
    assert torch.equal(made["at once"], made["still"])
    assert not torch.equal(made["at once"], made["in turn"])


def test_the_unrolled_gradient_is_the_slope_of_the_loss(make_run, recipe):
    # A relativistic loss also asks the discriminator some updates ahead of real samples, and it hangs on the generator.
    smooth = replace(recipe.discriminator, config={"width": 2, "norm": "none"})
    shop = prepare(make_run("unrolled", techniques=(Choice("unrolling", {}),), discriminator=smooth, penalties=()))
    weights = list(shop.state.generator.parameters())

    def loss() -> float:
        pair = _pair(shop.state, shop.rules, "generator", 0, 0)
        return float(_generator_gradient(shop.state, shop.rules, pair, 0))

    loss()
    slopes = [weight.grad.clone() for weight in weights]
    length = torch.stack([slope.square().sum() for slope in slopes]).sum().sqrt()
    reach, ends = 1e-2, []
    for way in (1, -1):
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight.add_(slope, alpha=way * reach / length)
        ends.append(loss())
        with torch.no_grad():
            for weight, slope in zip(weights, slopes, strict=True):
                weight.add_(slope, alpha=-way * reach / length)
    assert (ends[0] - ends[1]) / (2 * reach) == pytest.approx(float(length), rel=0.05)


def test_joint_batches_share_their_statistics(make_run, recipe):
    norm = {"penalties": (), "steps": 2}
    one = tensors(train(make_run("one", **norm), quiet, {}, resume=False))
    other = tensors(train(make_run("other", joint_batches=True, **norm), quiet, {}, resume=False))
    # Each update of a joint batch is one pass of batch norm, not two; the generator's is another.
    assert (one["d.body.3.num_batches_tracked"], other["d.body.3.num_batches_tracked"]) == (8, 6)


def test_joint_batches_of_patches_are_split_in_the_middle(make_run, recipe):
    judge = Player("patch", {"width": 2}, 1, recipe.discriminator.optimizer)
    changes = {"discriminator": judge, "loss": "non_saturating", "penalties": (), "steps": 1}
    apart = tensors(train(make_run("apart", **changes), quiet, {}, resume=False))
    joined = tensors(train(make_run("joined", joint_batches=True, **changes), quiet, {}, resume=False))
    # Its norm is that of each image, so that one batch or two are the same.
    for name, value in apart.items():
        torch.testing.assert_close(joined[name], value, rtol=0, atol=1e-4)


def test_what_is_watched_scored_and_written_besides_changes_nothing(tmp_path):
    plain = TRAINER.train(request(tmp_path / "plain"), quiet)
    extra = {"monitor": True, "evaluate_every": 2, "metrics": ("modes",), "evaluate_samples": 64, "tensorboard": True}
    busy = TRAINER.train(request(tmp_path / "busy", **extra), quiet)
    assert_same(busy, plain)
    lines = [json.loads(line) for line in (busy.parent / "evaluations.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["step"] for line in lines] == [2, 4, 6]
    best = max(lines, key=lambda line: (line["scores"]["modes"], -line["step"]))
    assert load_checkpoint(busy.with_name("best.pt")).step == best["step"]
    assert list((busy.parent / "tensorboard").iterdir())


@pytest.mark.parametrize(
    ("recipe", "overrides"),
    [
        ("vanilla", ()),
        ("cgan", ("generator.config.width=8", "discriminator.config.width=4")),
        ("acgan", ("generator.config.width=8", "discriminator.config.width=4")),
        ("sngan", ("generator.config.width=8", "discriminator.config.width=4")),
        ("vanilla", ("techniques.packing={}",)),
    ],
)
def test_the_monitor_of_a_run_sees_what_is_not_trained_on_and_changes_nothing(tmp_path, recipe, overrides):
    asked = {"recipe": recipe, "dataset": "mnist", "steps": 60, "overrides": ("batch_size=8", *overrides)}
    watched = TRAINER.train(request(tmp_path / "watched", monitor=True, **asked), quiet)
    assert_same(watched, TRAINER.train(request(tmp_path / "plain", **asked), quiet))
    records = read_run_log(watched.parent).records
    assert 0 <= records[-1].signals["held_out_auc"] <= 1


@pytest.mark.parametrize(
    ("dataset", "overrides"), [("ring8", ()), ("mnist", ("batch_size=8", "techniques.instance_noise={}"))]
)
def test_no_held_out_batch_where_there_is_none_or_its_look_changes(tmp_path, dataset, overrides):
    asked = request(tmp_path, recipe="vanilla", dataset=dataset, steps=60, monitor=True, overrides=overrides)
    assert "held_out_auc" not in read_run_log(TRAINER.train(asked, quiet).parent).records[-1].signals


def test_scores_of_an_undone_part_are_forgotten(tmp_path):
    scored = {"evaluate_every": 2, "metrics": ("modes",), "evaluate_samples": 64}
    whole = TRAINER.train(request(tmp_path / "whole", **scored), quiet)
    with pytest.raises(KeyboardInterrupt):
        TRAINER.train(request(tmp_path / "parts", **scored), stop_at(3))
    file = tmp_path / "parts" / "evaluations.jsonl"
    file.write_text(file.read_text(encoding="utf-8") + '{"step": 4, "scores": {"modes": 99.0}}\n', encoding="utf-8")
    resumed = TRAINER.train(request(tmp_path / "parts", resume=True, **scored), quiet)
    assert file.read_text(encoding="utf-8") == whole.with_name("evaluations.jsonl").read_text(encoding="utf-8")
    assert load_checkpoint(resumed.with_name("best.pt")).step == load_checkpoint(whole.with_name("best.pt")).step


def test_a_score_that_an_interruption_prevented_is_made_up_for(tmp_path):
    scored = {"evaluate_every": 2, "metrics": ("modes",), "evaluate_samples": 64}
    whole = TRAINER.train(request(tmp_path / "whole", **scored), quiet)
    with pytest.raises(KeyboardInterrupt):
        TRAINER.train(request(tmp_path / "parts", **scored), stop_at(4))
    resumed = TRAINER.train(request(tmp_path / "parts", resume=True, **scored), quiet)
    one, other = (path.with_name("evaluations.jsonl").read_text(encoding="utf-8") for path in (whole, resumed))
    assert one == other
    assert_same(resumed, whole)


@pytest.mark.parametrize(
    ("metric", "told"),
    [("ssim", "is for images, and these are points"), ("cas", "is for images"), ("psnr", "is for images")],
)
def test_a_metric_that_does_not_fit_the_samples_is_refused_before_the_first_step(tmp_path, metric, told):
    scored = {"evaluate_every": 100, "metrics": (metric,), "evaluate_samples": 64}
    with pytest.raises(GandiagError, match=told):
        TRAINER.train(request(tmp_path / "run", **scored), pytest.fail)
    with pytest.raises(GandiagError, match=told):
        TRAINER.plan(request(tmp_path / "run", **scored))
    assert not (tmp_path / "run").exists()


def test_tensorboard_that_is_not_installed_is_told_before_anything_is_written(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(UsageError, match=r"pip install 'gandiag\[tensorboard\]'"):
        TRAINER.train(request(tmp_path / "run", tensorboard=True), quiet)
    assert not (tmp_path / "run").exists()


def test_each_process_gets_back_what_its_own_techniques_remember(make_run, tmp_path):
    from reference_models.training.loop import prepare
    from reference_models.training.state import load_state, save_state

    stored = {"techniques": (Choice("experience_replay", {"size": 16}),)}
    state = prepare(make_run("run", **stored)).state
    remembered = [{"experience_replay": {"store": torch.full((16, 1), float(rank))}} for rank in range(3)]
    save_state(tmp_path / "state.pt", state, remembered)
    for rank in range(3):
        other = prepare(make_run("other", **stored)).state
        load_state(tmp_path / "state.pt", other, rank)
        assert other.remembered()["experience_replay"]["store"].unique().item() == rank
    with pytest.raises(InputError, match="cannot be read"):
        load_state(tmp_path / "state.pt", state, 3)


def test_mixed_precision_trains_and_is_not_resumed_without(tmp_path):
    path = TRAINER.train(request(tmp_path / "half", amp=True), quiet)
    assert all(value.dtype == torch.float32 for value in load_checkpoint(path).generator.values())
    assert not torch.equal(
        tensors(path)["g.body.0.weight"], tensors(TRAINER.train(request(tmp_path / "full"), quiet))["g.body.0.weight"]
    )
    with pytest.raises(UsageError, match="amp was True, is False"):
        TRAINER.train(request(tmp_path / "half", resume=True), quiet)


def test_a_plan_says_what_would_run_and_leaves_nothing(tmp_path):
    plan = TRAINER.plan(request(tmp_path / "run", fault="wrong_sign", overrides=("steps=123", "batch_size=32")))
    assert not (tmp_path / "run").exists()
    # The generator has 8 * 64 + 64, twice 64 * 64 + 64, and 64 * 2 + 2 weights.
    assert "9,026 parameters" in plan["generator"]
    assert (plan["steps"], plan["batch"], plan["techniques"]) == ("6", "32", "wrong_sign")
    assert "ms a step" in plan["time"]


@pytest.mark.parametrize("overrides", [("decay_from=1.0",), ("head_start=3",), ()])
def test_a_plan_times_steps_of_the_run_alone(tmp_path, overrides):
    # As few steps as these are timed many times over, and a falling rate would be below zero after the last.
    assert "about 1 s" in TRAINER.plan(request(tmp_path / "run", overrides=overrides))["time"]


def test_what_is_saved_and_previewed_in_between_changes_nothing(make_run):
    often = train(make_run("often", save_every=1, preview_every=2), quiet, {}, resume=False)
    assert_same(often, train(make_run("seldom", save_every=1000), quiet, {}, resume=False))


@pytest.fixture
def handled():
    """Sets the handler of a signal until the test ends; a shell starts what runs in its background without SIGINT."""
    with contextlib.ExitStack() as stack:

        def set_handler(number, handler):
            stack.callback(signal.signal, number, signal.signal(number, handler))

        yield set_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_run_between_steps_and_the_handler_comes_back(make_run, handled, number):
    def report(progress):
        if progress.step == 3:
            os.kill(os.getpid(), number)

    handled(number, signal.default_int_handler)
    with pytest.raises(KeyboardInterrupt):
        train(make_run("run"), report, {}, resume=False)
    assert load_checkpoint(make_run("run").folder.checkpoint).step == 3
    assert signal.getsignal(number) is signal.default_int_handler


def test_a_second_ctrl_c_is_not_held_back(handled):
    from reference_models.training.interrupt import deferred_interrupt

    handled(signal.SIGINT, signal.default_int_handler)
    with deferred_interrupt() as interrupted:
        assert not interrupted()
        os.kill(os.getpid(), signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_signal_that_is_ignored_stays_so(make_run, handled):
    def report(progress):
        os.kill(os.getpid(), signal.SIGINT)

    handled(signal.SIGINT, signal.SIG_IGN)
    train(make_run("run"), report, {}, resume=False)
    assert load_checkpoint(make_run("run").folder.checkpoint).step == make_run("run").steps
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_the_pictures_of_a_run_that_was_interrupted_are_those_of_the_whole_one(make_run):
    whole, parts = (make_run(name, preview_every=2) for name in ("whole", "parts"))
    train(whole, quiet, {}, resume=False)
    with pytest.raises(KeyboardInterrupt):
        train(parts, stop_at(4), {}, resume=False)
    train(parts, quiet, {}, resume=True)
    names = [sorted(path.name for path in run.folder.home.glob("samples/*")) for run in (whole, parts)]
    assert names[0] == names[1]
    assert len(names[0]) > 2


def test_every_step_is_reported_with_both_losses(make_run):
    seen = []
    train(make_run("run"), seen.append, {}, resume=False)
    assert [progress.step for progress in seen] == list(range(1, 12))
    assert all(progress.values.keys() == {"generator_loss", "discriminator_loss"} for progress in seen)


def test_the_random_state_of_the_caller_is_left_alone(make_run):
    torch_state = torch.get_rng_state()
    one = train(make_run("one", steps=2), quiet, {}, resume=False)
    assert torch.equal(torch.get_rng_state(), torch_state)
    torch.rand(7)
    assert_same(train(make_run("other", steps=2), quiet, {}, resume=False), one)


def test_different_seeds_make_different_networks(make_run):
    one = train(make_run("one", steps=1), quiet, {}, resume=False)
    other = train(replace(make_run("other", steps=1), seed=1), quiet, {}, resume=False)
    assert not torch.equal(tensors(one)["g.seed.weight"], tensors(other)["g.seed.weight"])


@pytest.mark.parametrize("loss", ["non_saturating", "saturating", "relativistic", "hinge", "wasserstein"])
def test_a_player_whose_rate_is_zero_stays_and_the_other_moves(make_run, recipe, loss):
    still = Player("dcgan", recipe.generator.config, 1, Optimizer(0.0, (0.5, 0.999)))
    one = tensors(train(make_run("one", steps=1, generator=still, loss=loss), quiet, {}, resume=False))
    three = tensors(train(make_run("three", steps=3, generator=still, loss=loss), quiet, {}, resume=False))
    assert torch.equal(one["g.seed.weight"], three["g.seed.weight"])
    assert torch.equal(one["g.seed.weight"], one["ema.seed.weight"])
    assert not torch.equal(one["d.head.weight"], three["d.head.weight"])


def test_a_run_that_diverges_stops_and_leaves_what_was_good(make_run, recipe):
    run = make_run("run", save_every=1)
    with pytest.raises(KeyboardInterrupt):
        train(run, stop_at(2), {}, resume=False)
    good = tensors(run.folder.checkpoint)
    absurd = replace(recipe.discriminator, optimizer=Optimizer(1e38, (0.5, 0.999)))
    with pytest.raises(TrainingError, match=r"at step \d+; try a lower learning rate"):
        train(make_run("run", save_every=50, steps=60, decay_from=1.0, discriminator=absurd), quiet, {}, resume=True)
    assert tensors(run.folder.checkpoint).keys() == good.keys()
    assert all(torch.equal(value, good[key]) for key, value in tensors(run.folder.checkpoint).items())


def test_a_loss_that_is_not_finite_is_named_with_its_step():
    from reference_models.training.step import Losses
    from reference_models.training.watch import INTERVAL, LossWatch

    watch, fine, broken = LossWatch(), torch.tensor(0.5), torch.tensor(float("inf"))
    watch.add(1, Losses(fine, fine))
    assert watch.values == {"generator_loss": 0.5, "discriminator_loss": 0.5}
    watch.add(7, Losses(fine, broken))
    for step in range(8, INTERVAL):
        watch.add(step, Losses(fine, fine))
    with pytest.raises(TrainingError, match="the discriminator loss is not finite at step 7;"):
        watch.add(INTERVAL, Losses(fine, fine))


def test_a_damaged_state_is_told(make_run):
    run = make_run("run")
    train(run, quiet, {}, resume=False)
    content = run.folder.state.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"garbage" * 100):
        run.folder.state.write_bytes(damaged)
        with pytest.raises(InputError, match=r"state\.pt cannot be read") as caught:
            train(make_run("run", steps=12), quiet, {}, resume=True)
        assert "\n" not in str(caught.value)


def test_a_full_disk_is_told_and_the_run_goes_on_when_there_is_room(make_run, files_of_at_most):
    whole = train(make_run("whole"), quiet, {}, resume=False)
    run = make_run("run", save_every=2)
    with pytest.raises(KeyboardInterrupt):
        train(run, stop_at(3), {}, resume=False)
    with files_of_at_most(1000), pytest.raises(InputError, match=r"cannot write .*: File too large; free some space"):
        train(run, quiet, {}, resume=True)
    assert_same(train(run, quiet, {}, resume=True), whole)


FEATURES = "techniques.feature_matching={}"


def request(out: Path, **changes) -> TrainingRequest:
    return replace(TrainingRequest(recipe="vanilla", dataset="ring8", out=out, steps=6), **changes)


def test_a_run_leaves_its_files(tmp_path):
    path = TRAINER.train(request(tmp_path / "run", command="gandiag train vanilla", seed=3), quiet)
    assert path == tmp_path / "run" / "checkpoint.pt"
    found = load_checkpoint(path)
    assert (found.builder, found.recipe, found.dataset, found.step) == ("mlp", "vanilla", "ring8", 6)
    assert (found.image.shape, found.image.range) == ((2,), None)
    assert (found.metadata["seed"], found.metadata["command"]) == (3, "gandiag train vanilla")
    assert found.metadata["versions"]["torch"].startswith(torch.__version__.partition("+")[0])
    config = json.loads((tmp_path / "run" / "config.json").read_text(encoding="utf-8"))
    assert (config["dataset"], config["steps"], config["seed"], config["fault"]) == ("ring8", 6, 3, None)
    with Image.open(tmp_path / "run" / "samples" / "step-000006.png") as picture:
        assert picture.size == (256, 256)
    names = {file.name for file in (tmp_path / "run").rglob("*") if file.is_file()}
    assert names == {"checkpoint.pt", "state.pt", "config.json", "step-000006.png"}


def test_the_generator_of_a_checkpoint_can_be_built_from_it(tmp_path):
    from reference_models.networks.generators import mlp

    found = load_checkpoint(TRAINER.train(request(tmp_path / "run"), quiet))
    generator = mlp.build(**found.config)
    generator.load_state_dict(found.generator_ema)
    assert generator(torch.zeros(3, found.latent.dim)).shape == (3, 2)


def test_dcgan_trains_on_the_digits_and_its_checkpoint_is_small(tmp_path):
    steps = []
    path = TRAINER.train(request(tmp_path / "run", recipe="dcgan", dataset="stacked-mnist", steps=2), steps.append)
    assert len(steps) == 2
    assert path.stat().st_size < 2_000_000
    with Image.open(tmp_path / "run" / "samples" / "step-000002.png") as picture:
        assert picture.size == (8 * 30 + 2, 8 * 30 + 2)


def test_resuming_takes_dataset_and_steps_from_the_folder(tmp_path):
    whole = TRAINER.train(request(tmp_path / "whole"), quiet)
    with pytest.raises(KeyboardInterrupt):
        TRAINER.train(request(tmp_path / "parts"), stop_at(4))
    resumed = TRAINER.train(request(tmp_path / "parts", dataset=None, steps=None, resume=True), quiet)
    assert load_checkpoint(resumed).step == 6
    assert_same(resumed, whole)
    assert_same(TRAINER.train(request(tmp_path / "parts", resume=True), quiet), whole)  # nothing left to do


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seed": 1}, "seed was 0, is 1"),
        ({"fault": "many_generator_steps"}, "fault was None, is 'many_generator_steps'"),
        ({"dataset": "grid25"}, "dataset was 'ring8', is 'grid25'"),
        ({"recipe": "dcgan"}, "recipe.name was 'vanilla', is 'dcgan';"),
        ({"steps": 7}, "steps was 6, is 7, and the learning rate depends on it"),
    ],
)
def test_another_run_is_not_resumed(tmp_path, changes, told):
    TRAINER.train(request(tmp_path), quiet)
    before = (tmp_path / "config.json").read_bytes()
    with pytest.raises(UsageError, match=told):
        TRAINER.train(request(tmp_path, resume=True, **changes), quiet)
    assert (tmp_path / "config.json").read_bytes() == before


def test_more_steps_are_allowed_where_the_rate_does_not_fall(make_run):
    whole = train(make_run("whole", decay_from=1.0), quiet, {}, resume=False)
    train(make_run("parts", decay_from=1.0, steps=5), quiet, {}, resume=False)
    assert_same(train(make_run("parts", decay_from=1.0), quiet, {}, resume=True), whole)


def test_steps_of_an_override_count_on_resuming_where_they_are_new(tmp_path):
    constant = ("decay_from=1.0",)
    asked = request(tmp_path / "run", steps=4, overrides=(*constant, "steps=9"))
    TRAINER.train(asked, quiet)
    for overrides, expected in (((*constant, "steps=9"), 4), (constant, 4), ((*constant, "steps=5"), 5)):
        path = TRAINER.train(replace(asked, resume=True, steps=None, overrides=overrides), quiet)
        assert load_checkpoint(path).step == expected


def test_steps_of_an_override_count_on_resuming_where_they_are_the_recipes_own(tmp_path):
    own = tmp_path / "own.toml"
    own.write_text('extends = "vanilla"\ndataset = "ring8"\ndecay_from = 1.0\n[datasets.ring8]\nsteps = 5\n')
    asked = request(tmp_path / "run", recipe=str(own), dataset=None, steps=3)
    TRAINER.train(asked, quiet)
    path = TRAINER.train(replace(asked, resume=True, steps=None, overrides=("steps=5",)), quiet)
    assert load_checkpoint(path).step == 5


def test_a_compiled_run_is_not_gone_on_with_without(tmp_path):
    TRAINER.train(request(tmp_path / "run"), quiet)
    with pytest.raises(UsageError, match="compile was False, is True"):
        TRAINER.train(request(tmp_path / "run", resume=True, compile=True), quiet)


def test_instance_noise_that_fades_is_given_no_more_steps(tmp_path):
    asked = request(tmp_path / "run", steps=4, overrides=("decay_from=1.0", "techniques.instance_noise={}"))
    TRAINER.train(asked, quiet)
    with pytest.raises(UsageError, match="steps was 4, is 5, and technique instance_noise depends on it"):
        TRAINER.train(replace(asked, resume=True, steps=5), quiet)


def test_a_fault_is_the_same_however_it_is_spelt(tmp_path):
    asked = request(tmp_path / "run", fault="many-generator-steps")
    TRAINER.train(asked, quiet)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["fault"] == "many_generator_steps"
    TRAINER.train(replace(asked, resume=True, fault="many_generator_steps"), quiet)


def test_a_plan_for_a_folder_in_use_is_made(tmp_path):
    TRAINER.train(request(tmp_path / "run"), quiet)
    assert "ms a step" in TRAINER.plan(request(tmp_path / "run"))["time"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"overrides": ("dataset=grid25",)}, "give --dataset in its place"),
        ({"overrides": ("extends=dcgan",)}, "give it by --recipe FILE"),
        (
            {"overrides": ("discriminator.network=dcgan",)},
            "discriminator is for images, and these samples are",
        ),
        (
            {"overrides": ("techniques.variational_encoder={}",)},
            "dcgan encoder is for images, and these samples are",
        ),
        (
            {"overrides": ("batch_size=2", "techniques.packing.samples=2", "discriminator.config.norm=batch")},
            "mlp discriminator cannot learn from batches of 1 samples of 4: Expected more than 1 value",
        ),
        ({"recipe": "vaegan", "dataset": "mnist", "overrides": ("techniques.packing={}",)}, "leave packing out"),
        (
            {"recipe": "dcgan", "dataset": "mnist", "overrides": ("discriminator.network=patch", FEATURES)},
            "technique feature_matching needs a discriminator with features",
        ),
        ({"overrides": ("techniques.variational_encoder.config=abc",)}, "config is 'abc', expected a table"),
        ({"recipe": "cgan", "overrides": ("generator.conditional=false",)}, "conditional and the generator is not"),
        ({"recipe": "dcgan", "dataset": "folders"}, "recipe dcgan does not learn from two folders"),
        ({"overrides": ("techniques.variational_encoder.network=5",)}, "network is 5, expected a text"),
        ({"overrides": (f"techniques.weight_clipping.limit={10**400}",)}, "expected a number above 0"),
        ({"overrides": (f"techniques.packing.samples={10**400}",)}, "at most 1,000,000,000"),
        ({"evaluate_every": 2, "metrics": ("modes", "nonsense")}, "unknown metric 'nonsense'"),
        ({"evaluate_every": 2, "metrics": ("",)}, "no metric is named"),
        ({"evaluate_samples": 10}, "--eval-samples is 10, and nothing is scored as the run goes on; add --eval-every"),
        ({"overrides": ("samples=5",)}, "samples is 5, less than one batch of 128; raise samples"),
        ({"recipe": "vanila"}, "did you mean 'vanilla'"),
        ({"steps": 0}, "--steps is 0"),
        ({"device": "gpu"}, "--device is 'gpu'"),
        ({"device": "cuda:99"}, "--device cuda:99: this machine has"),
        ({"resume": True}, "holds no state.pt"),
        ({"dataset": "ring9"}, "did you mean 'ring8'"),
        ({"overrides": ("stepz=3",)}, "did you mean 'steps'"),
        ({"overrides": ("steps",)}, "is no override of a recipe; expected KEY=VALUE"),
        ({"overrides": ("a.b = [" + "[" * 5000,)}, "unknown key"),
        ({"overrides": ("loss=hing",)}, "unknown loss 'hing', did you mean 'hinge'"),
        ({"overrides": ("techniques.label_smoothing={}", "loss=hinge")}, "needs a loss with a target"),
        ({"overrides": ('generator.optimizer.kind="adan"',)}, "kind is 'adan', expected one of adam, rmsprop, sgd"),
        ({"recipe": "none.toml"}, "there is no recipe file 'none.toml'"),
    ],
)
def test_a_bad_request_is_told_and_leaves_nothing(tmp_path, changes, told):
    with pytest.raises(UsageError, match=told):
        TRAINER.train(request(tmp_path / "run", **changes), quiet)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("recipe", ["dcgan", "progressive", "stylegan"])
def test_a_recipe_for_images_is_not_for_points(tmp_path, recipe):
    with pytest.raises(GandiagError, match="is for images, and these samples are points"):
        TRAINER.train(request(tmp_path / "run", recipe=recipe), quiet)
    assert not (tmp_path / "run").exists()


def test_trying_a_batch_changes_nothing():
    from reference_models.networks.discriminators import dcgan
    from reference_models.networks.fitting import check_batch

    judge = dcgan.build(channels=1, width=2, dropout=0.5)
    before, drawn = {name: value.clone() for name, value in judge.state_dict().items()}, torch.get_rng_state()
    check_batch("dcgan discriminator", judge, 4, (1, 28, 28))
    assert torch.equal(torch.get_rng_state(), drawn)
    assert all(torch.equal(value, before[name]) for name, value in judge.state_dict().items())
    assert judge.training


def test_images_of_another_size_are_refused():
    from reference_models.networks.generators import dcgan
    from reference_models.training.builders import check_fit

    generator = dcgan.build(latent_dim=3, channels=1, width=2).eval()
    check_fit(generator, "dcgan", (1, 28, 28), Latent(3))
    with pytest.raises(UsageError, match="makes samples of 1 x 28 x 28, but those of the dataset are 1 x 32 x 32"):
        check_fit(generator, "dcgan", (1, 32, 32), Latent(3))


def test_a_folder_with_something_in_it_is_not_overwritten(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(UsageError, match="add --resume to go on with its run, or choose another --out"):
        TRAINER.train(request(tmp_path), quiet)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


def test_the_run_folder_must_be_a_folder_and_its_configuration_whole(tmp_path):
    file = tmp_path / "file"
    file.write_text("x", encoding="utf-8")
    with pytest.raises(UsageError, match="not an empty folder"):
        TRAINER.train(request(file), quiet)
    with pytest.raises(InputError, match=r"cannot write .*below.*: Not a directory"):
        TRAINER.train(request(file / "below"), quiet)
    TRAINER.train(request(tmp_path / "run"), quiet)
    for damage in ("{", "[]", '{"format": "reference_models.run/1"}'):
        (tmp_path / "run" / "config.json").write_text(damage, encoding="utf-8")
        with pytest.raises(InputError, match=r"config\.json"):
            TRAINER.train(request(tmp_path / "run", resume=True), quiet)
