from __future__ import annotations

import subprocess
import sys

import pytest

import gandiag
from gandiag import UnknownNameError, UsageError
from reference_models.recipe import Choice, load_recipe, read_recipe
from reference_models.tables import merge
from reference_models.trainer import TRAINER

PLAIN = """
summary = "s"
dataset = "mnist"
loss = "non_saturating"
batch_size = 8
steps = 10
latent = { dim = 4 }
generator = { network = "mlp", config = { hidden = [3] }, optimizer = { learning_rate = 1e-3 } }
discriminator = { network = "mlp", optimizer = { learning_rate = 1e-3 } }
penalties = { r1 = { weight = 2 } }

[datasets.ring8]
batch_size = 16
generator = { optimizer = { learning_rate = 0.5 } }
"""


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_overrides_replace_what_they_name_and_leave_the_rest(tmp_path):
    file = write(tmp_path / "own.toml", PLAIN)
    fault = write(tmp_path / "ill.toml", 'summary = "ill"\nbatch_size = 99\npenalties = { r1 = { weight = 0.0 } }\n')
    plain, ring, ill = read_recipe(file), read_recipe(file, "ring8"), read_recipe(file, "ring8", fault)
    assert (plain.name, plain.batch_size, plain.generator.optimizer.learning_rate) == ("own", 8, 1e-3)
    assert (ring.batch_size, ring.generator.optimizer.learning_rate) == (16, 0.5)
    assert ring.generator.config == {"hidden": [3]}
    assert ring.discriminator == plain.discriminator
    assert [each.name for each in ring.penalties] == ["r1"]
    assert (ill.batch_size, ill.penalties, ill.summary) == (99, (), "s")


def test_a_recipe_extends_another_and_a_set_comes_last(tmp_path):
    own = write(
        tmp_path / "own.toml",
        'summary = "own"\nextends = "vanilla"\nbatch_size = 7\n[datasets.ring8]\nsteps = 77\n'
        "[techniques]\nweight_clipping = { limit = 0.5 }\ninstance_noise = { enabled = false }\n",
    )
    base, mine = load_recipe("vanilla", "ring8"), read_recipe(own, "ring8", None, ("latent.dim=3", "loss = hinge"))
    assert (mine.name, mine.summary, mine.steps, mine.latent.dim, mine.loss) == ("own", "own", 77, 3, "hinge")
    assert mine.batch_size == base.batch_size == 128  # the dataset's table of the base comes after the recipe itself
    assert mine.generator == base.generator
    assert mine.techniques == (Choice("weight_clipping", {"limit": 0.5}),)
    assert read_recipe(own).batch_size == 7


def test_another_network_drops_the_config_of_the_old_one(tmp_path):
    own = write(tmp_path / "own.toml", 'extends = "dcgan"\n[generator]\nnetwork = "mlp"\nconfig = { hidden = [3] }\n')
    recipe = read_recipe(own)
    assert recipe.generator.config == {"hidden": [3]}
    assert recipe.discriminator == load_recipe("dcgan").discriminator


def test_a_table_for_a_dataset_means_the_network_of_its_own_recipe(tmp_path):
    # The shipped recipe's table for stacked-mnist gives its convolutions a width; neither of these networks has it.
    above = write(tmp_path / "above.toml", 'extends = "dcgan"\n[discriminator]\nnetwork = "residual"\n')
    other = write(
        tmp_path / "other.toml", 'extends = "dcgan"\n[datasets.stacked-mnist.discriminator]\nnetwork = "mlp"\n'
    )
    base = load_recipe("dcgan", "stacked-mnist")
    for file, network in ((above, "residual"), (other, "mlp")):
        recipe = read_recipe(file, "stacked-mnist")
        assert (recipe.discriminator.network, recipe.discriminator.config) == (network, {})
        assert recipe.discriminator.optimizer == base.discriminator.optimizer
    kept = write(tmp_path / "kept.toml", 'extends = "dcgan"\n[discriminator]\nnetwork = "dcgan"\n')
    assert read_recipe(kept, "stacked-mnist").discriminator == base.discriminator


def test_the_top_of_a_recipe_that_names_its_dataset_is_meant_for_it(tmp_path):
    shipped = load_recipe("vanilla", "ring8")
    about = 'extends = "vanilla"\nsteps = 5\n[generator.optimizer]\nlearning_rate = 0.5\n'
    silent, own = write(tmp_path / "silent.toml", about), write(tmp_path / "own.toml", 'dataset = "ring8"\n' + about)
    assert read_recipe(silent, "ring8").steps == shipped.steps != 5
    for dataset in (None, "ring8"):
        recipe = read_recipe(own, dataset)
        assert (recipe.steps, recipe.generator.optimizer.learning_rate) == (5, 0.5)
        assert (recipe.generator.config, recipe.batch_size) == (shipped.generator.config, shipped.batch_size)
    assert read_recipe(own, "grid25").steps == load_recipe("vanilla", "grid25").steps
    table = write(tmp_path / "table.toml", 'dataset = "ring8"\n' + about + "[datasets.ring8]\nsteps = 7\n")
    assert read_recipe(table).steps == 7
    wrong = write(tmp_path / "wrong.toml", 'dataset = "ring8"\n' + about.replace("steps = 5", "steps = -1"))
    with pytest.raises(UsageError, match="steps"):
        read_recipe(wrong)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(PLAIN, encoding="utf-8-sig")
    assert read_recipe(file) == read_recipe(write(tmp_path / "own.toml", PLAIN))


def test_the_order_of_overrides_of_different_keys_is_no_matter():
    lines = ("discriminator.network=mlp", "discriminator.config.hidden=[8]")
    recipes = [load_recipe("dcgan", overrides=each) for each in (lines, lines[::-1])]
    assert recipes[0] == recipes[1]
    assert recipes[0].discriminator.config == {"hidden": [8]}
    assert load_recipe("dcgan", overrides=("steps=5", "steps=6")).steps == 6


def test_another_task_drops_the_numbers_of_the_old_one(tmp_path):
    own = write(tmp_path / "own.toml", 'extends = "cyclegan"\n[task]\nname = "super_resolution"\nscale = 2\n')
    assert read_recipe(own).task == Choice("super_resolution", {"scale": 2})
    domain = load_recipe("cyclegan", overrides=("task.domain=coloured",)).task.config
    assert domain == {**load_recipe("cyclegan").task.config, "domain": "coloured"}


def test_a_fault_has_a_part_for_each_network(tmp_path):
    ill = 'summary = "ill"\nsteps = 5\n[networks.mlp]\nbatch_size = 6\n[networks.dcgan]\nbatch_size = 8\n'
    fault = write(tmp_path / "ill.toml", ill)
    recipe = read_recipe(write(tmp_path / "own.toml", PLAIN), None, fault)
    assert (recipe.steps, recipe.batch_size) == (5, 6)


def test_tables_of_datasets_are_spelt_either_way_and_named_rightly(tmp_path):
    own = write(tmp_path / "own.toml", PLAIN + "[datasets.stacked_mnist]\nsteps = 77\n[datasets.folders]\nsteps = 3\n")
    assert read_recipe(own, "stacked-mnist").steps == 77
    wrong = write(tmp_path / "wrong.toml", PLAIN + "[datasets.ring_8]\nsteps = 77\n")
    with pytest.raises(UsageError, match=r"recipe wrong, .*ring_8.*: unknown dataset 'ring_8', did you mean 'ring8'"):
        read_recipe(wrong)


@pytest.mark.parametrize("key", ["step = 3", 'extends = "dcgan"'])
def test_an_unknown_key_of_a_dataset_s_table_is_told_where_it_stands(tmp_path, key):
    wrong = write(tmp_path / "wrong.toml", PLAIN + f"[datasets.grid25]\n{key}\n")
    for dataset in ("ring8", "grid25"):
        with pytest.raises(UnknownNameError, match=r"recipe wrong, \[datasets\], \[grid25\]"):
            read_recipe(wrong, dataset)


def test_a_recipe_that_extends_itself_or_nothing_is_told(tmp_path):
    with pytest.raises(UnknownNameError, match="did you mean 'vanilla'"):
        read_recipe(write(tmp_path / "own.toml", 'extends = "vanila"\n'))
    with pytest.raises(UsageError, match="extends is 3"):
        read_recipe(write(tmp_path / "own.toml", "extends = 3\n"))


def test_merge_changes_neither_of_its_arguments():
    base, over = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 3}, "d": [2]}
    assert merge(base, over) == {"a": {"b": 3, "c": 2}, "d": [2]}
    assert base == {"a": {"b": 1, "c": 2}, "d": [1]}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("batch_size = 8", "batchsize = 8", "batch_size is missing; add it, or correct 'batchsize'"),
        ("learning_rate = 1e-3", "lerning_rate = 1e-3", "add it, or correct 'lerning_rate'"),
        ("weight = 2", "wieght = 2", "correct 'wieght'"),
        ("steps = 10", "steps = 10\nema_decay = 0.9\nsave_evry = 3", "unknown key in recipe own: 'ema_decay'"),
        ("steps = 10", "steps = 10\nsave_evry = 3", "did you mean 'save_every'"),
        ("steps = 10", f"steps = {10**400}", "at most 1,000,000,000"),
        ("batch_size = 8", "batch_size = 1000000000", "batch_size is 1000000000, .* at most 65,536"),
        ("weight = 2", f"weight = {10**400}", "expected a number of at least 0"),
        ("steps = 10", 'steps = 10\ntechniques.packing.enabled = "False"', "enabled is 'False', expected true"),
        ("steps = 10", 'steps = "10"', "steps is '10', expected a whole number of at least 1"),
        ("steps = 10", "steps = true", "steps is True"),
        ("steps = 10", "steps = 0", "steps is 0"),
        ("weight = 2", "weight = -1", "weight is -1, expected a number of at least 0"),
        ("weight = 2", "weight = nan", "weight is nan"),
        ("dim = 4", 'dim = 4, distribution = "cauchy"', "expected one of normal, uniform"),
        ("latent = { dim = 4 }", "latent = 4", "latent is 4, expected a table"),
        ('loss = "non_saturating"', "", "loss is missing"),
        ("learning_rate = 1e-3 }", "learning_rate = 1e-3, betas = [0.5] }", "betas is .0.5., expected two numbers"),
        ("steps = 10", "steps = 10\nema = 1.0", "ema is 1.0"),
        ("steps = 10", "steps = ", "is not valid TOML"),
    ],
)
def test_a_wrong_recipe_is_told_with_its_name(tmp_path, old, new, told):
    assert old in PLAIN
    with pytest.raises(UsageError, match=told) as caught:
        read_recipe(write(tmp_path / "own.toml", PLAIN.replace(old, new, 1)))
    assert "own" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unknown_names_are_told_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'dcgan'"):
        load_recipe("dcgann")
    with pytest.raises(UnknownNameError, match="did you mean 'many_generator_steps'"):
        load_recipe("dcgan", fault="many_generator_step")


def test_a_misspelt_name_is_told_where_it_is_to_be_left_out_too():
    with pytest.raises(UnknownNameError, match="unknown technique 'packng', did you mean 'packing'"):
        load_recipe("dcgan", overrides=("techniques.packng.enabled=false",))
    with pytest.raises(UnknownNameError, match="unknown penalty 'r_1', did you mean 'r1'"):
        load_recipe("dcgan", overrides=("penalties.r_1.weight=0",))


def test_a_momentum_that_adam_would_not_heed_is_told():
    with pytest.raises(UsageError, match=r"momentum is 0\.9, and adam has none"):
        load_recipe("dcgan", overrides=("generator.optimizer.momentum=0.9",))


NOISE_ONLY = ("mixed_batch_norm", "saturating_strong_d", "simultaneous", "tiny_latent", "wrong_sign")
UNFIT = {
    "progressive": ("mixed_batch_norm",),
    "stylegan": ("mixed_batch_norm",),
    "srgan": NOISE_ONLY,
    "cyclegan": NOISE_ONLY,
}


@pytest.mark.parametrize("name", TRAINER.recipes())
def test_every_shipped_recipe_is_valid_with_every_fault(name, tmp_path, digits):
    for dataset in (None, "mnist", "stacked-mnist", "ring8", "grid25"):
        healthy = load_recipe(name, dataset)
        assert healthy.name == name
        for fault in TRAINER.faults():
            if fault in UNFIT.get(name, ()):
                with pytest.raises(UsageError, match=f"fault {fault} is for"):
                    load_recipe(name, dataset, fault)
                continue
            ill = load_recipe(name, dataset, fault)
            assert ill != healthy, fault
            if dataset == "mnist":
                prepared(ill, digits[dataset], dataset, tmp_path)


@pytest.mark.parametrize("name", TRAINER.recipes())
def test_a_fault_without_penalties_leaves_none(name):
    for dataset in ("mnist", "ring8"):
        for fault, summary in TRAINER.faults().items():
            says = "without penalties" in summary or "norm or penalties" in summary
            if says and fault not in UNFIT.get(name, ()):
                assert load_recipe(name, dataset, fault).penalties == (), fault


def test_what_a_fault_says_of_itself_is_checked(tmp_path):
    own = write(tmp_path / "own.toml", PLAIN)
    for line, told in (
        ('no_penalties = "no"', "fault ill: no_penalties is 'no', expected true or false"),
        ("networks_only = true\n[networks.dcgan]\nsteps = 3", "fault ill is for the discriminators dcgan, and .* mlp"),
    ):
        with pytest.raises(UsageError, match=told):
            read_recipe(own, None, write(tmp_path / "ill.toml", f'summary = "ill"\n{line}\n'))


@pytest.mark.parametrize("dataset", ["mnist", "stacked-mnist", "ring8", "grid25"])
@pytest.mark.parametrize("name", TRAINER.recipes())
def test_every_recipe_takes_a_step_on_the_data_that_it_is_for(name, dataset, tmp_path, digits):
    import torch

    if name in ("dcgan", "progressive", "stylegan", "srgan", "cyclegan") and dataset in ("ring8", "grid25"):
        pytest.skip("a recipe without a form for points")
    recipe = load_recipe(name, dataset, overrides=("batch_size=8",))
    workshop = prepared(recipe, digits[dataset], dataset, tmp_path)
    before = [[weight.clone() for weight in player.parameters()] for player in players(workshop.state)]
    for _ in range(2):
        losses = workshop.take_step()
        assert losses.generator.isfinite()
        assert losses.discriminator.isfinite()
    for old, player in zip(before, players(workshop.state), strict=True):
        assert any(not torch.equal(one, other) for one, other in zip(old, player.parameters(), strict=True))


def prepared(recipe, data, dataset, folder):
    import torch

    from reference_models.training.folder import Folder
    from reference_models.training.loops import prepare
    from reference_models.training.run import Run

    return prepare(Run(recipe, data, dataset, 2, 0, torch.device("cpu"), Folder(folder), {}))


def players(state):
    return state.generator, state.discriminator


@pytest.fixture(scope="module")
def digits():
    return {name: gandiag.load_dataset(name) for name in ("mnist", "stacked-mnist", "ring8", "grid25")}


@pytest.mark.parametrize("fault", TRAINER.faults())
@pytest.mark.parametrize("dataset", ["mnist", "ring8"])
def test_every_fault_takes_a_step(fault, dataset, tmp_path, digits):
    recipe = load_recipe("vanilla", dataset, fault, ("batch_size=8", "head_start=1"))
    workshop = prepared(recipe, digits[dataset], dataset, tmp_path)
    workshop.take_step()
    assert workshop.state.step == 1


def test_summaries_are_one_line_each():
    summaries = [*TRAINER.recipes().values(), *TRAINER.faults().values()]
    assert all(summary and "\n" not in summary for summary in summaries)
    assert {"dcgan", "vanilla"} <= set(TRAINER.recipes())


def test_listing_loads_no_torch():
    program = (
        "import sys, reference_models.networks.generators; from reference_models.trainer import TRAINER;"
        "TRAINER.recipes(); TRAINER.faults(); assert not {'torch', 'numpy'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_only_the_public_face_of_gandiag_is_used():
    import ast
    from pathlib import Path

    import reference_models

    for file in Path(reference_models.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("gandiag."), file
                if node.module == "gandiag":
                    assert {alias.name for alias in node.names} <= set(gandiag.__all__), file
            if isinstance(node, ast.Import):
                assert all(not alias.name.startswith("gandiag.") for alias in node.names), file
