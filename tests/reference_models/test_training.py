from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from small_runs import Pictures, quiet, stop_at

from gandiag import InputError, TrainingError, TrainingRequest, UsageError, load_checkpoint
from reference_models.recipe import Optimizer, Player
from reference_models.trainer import TRAINER
from reference_models.training.loop import train


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


def test_what_is_saved_and_previewed_in_between_changes_nothing(make_run):
    often = train(make_run("often", save_every=1, preview_every=2), quiet, {}, resume=False)
    assert_same(often, train(make_run("seldom", save_every=1000), quiet, {}, resume=False))


def test_ctrl_c_ends_the_run_between_steps_and_the_handler_comes_back(make_run):
    before = signal.getsignal(signal.SIGINT)

    def report(progress):
        if progress.step == 3:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(make_run("run"), report, {}, resume=False)
    assert load_checkpoint(make_run("run").folder.checkpoint).step == 3
    assert signal.getsignal(signal.SIGINT) is before


def test_a_second_ctrl_c_is_not_held_back():
    from reference_models.training.interrupt import deferred_interrupt

    # A shell starts what runs in its background with SIGINT ignored.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with deferred_interrupt() as interrupted:
            assert not interrupted()
            os.kill(os.getpid(), signal.SIGINT)
            assert interrupted()
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)


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


@pytest.mark.parametrize("loss", ["non_saturating", "saturating", "relativistic"])
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


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"recipe": "vanila"}, "did you mean 'vanilla'"),
        ({"steps": 0}, "--steps is 0"),
        ({"device": "gpu"}, "--device is 'gpu'"),
        ({"device": "cuda:99"}, "--device cuda:99: this machine has"),
        ({"resume": True}, "holds no state.pt"),
        ({"dataset": "ring9"}, "did you mean 'ring8'"),
    ],
)
def test_a_bad_request_is_told_and_leaves_nothing(tmp_path, changes, told):
    with pytest.raises(UsageError, match=told):
        TRAINER.train(request(tmp_path / "run", **changes), quiet)
    assert not (tmp_path / "run").exists()


def test_images_of_another_size_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(UsageError, match="28 x 28"):
        TRAINER.train(request(tmp_path / "run", recipe="dcgan"), quiet)
    assert not (tmp_path / "run").exists()


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
    TRAINER.train(request(tmp_path / "run"), quiet)
    for damage in ("{", "[]", '{"format": "reference_models.run/1"}'):
        (tmp_path / "run" / "config.json").write_text(damage, encoding="utf-8")
        with pytest.raises(InputError, match=r"config\.json"):
            TRAINER.train(request(tmp_path / "run", resume=True), quiet)
