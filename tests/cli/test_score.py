from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from gandiag import Result

FAST = ("--metric", "fid,modes", "--samples", 400)


def test_the_table_names_every_score_with_its_interval(gandiag_command, save_ring):
    finished = gandiag_command("score", save_ring(), *FAST)
    assert finished.code == 0, finished.err
    for word in (
        "fid",
        "fid_infinity",
        "modes",
        "mode_kl",
        "95% interval",
        "better",
        "pixels",
        "400",
        "lower",
        "higher",
    ):
        assert word in finished.out


def test_json_to_stdout_is_one_document_and_nothing_else(gandiag_command, save_ring):
    finished = gandiag_command("score", save_ring(), *FAST, "--json", "-")
    document = json.loads(finished.out)
    assert document["schema"] == "gandiag.result/1"
    assert set(document["scores"]) >= {"fid", "fid_infinity", "modes", "mode_kl_excess"}
    assert document["protocol"]["samples"] == 400
    assert document["source"]["kind"] == "checkpoint"
    assert document["reference"]["name"] == "ring8"


def test_json_to_a_file_is_the_result_that_was_printed(gandiag_command, save_ring, tmp_path):
    finished = gandiag_command("score", save_ring(), *FAST, "--json", tmp_path / "deep" / "result.json")
    result = Result.load(tmp_path / "deep" / "result.json")
    assert "fid" in finished.out
    assert result.scores["fid"].n_fake == 400
    assert list((tmp_path / "deep").iterdir()) == [tmp_path / "deep" / "result.json"]


def test_the_same_command_gives_the_same_scores_bit_for_bit(gandiag_command, save_ring):
    path = save_ring()
    first, second = (json.loads(gandiag_command("score", path, *FAST, "--json", "-").out) for _ in range(2))
    assert first["scores"] == second["scores"]


def test_metrics_are_given_by_comma_repeated_or_with_an_extractor(gandiag_command, save_ring):
    words = ("--metric", "fid", "-m", "modes,fid@pixels", "-n", 200, "--json", "-")
    scores = json.loads(gandiag_command("score", save_ring(), *words).out)["scores"]
    assert {"fid", "modes", "fid@pixels", "fid_infinity@pixels"} <= set(scores)
    assert scores["fid"]["value"] == scores["fid@pixels"]["value"]


def test_a_dataset_is_scored_against_a_disjoint_draw_of_itself(gandiag_command):
    finished = gandiag_command("score", "ring8", "--json", "-")
    scores = json.loads(finished.out)["scores"]
    assert scores["modes"]["value"] == 8
    low, high = scores["fid_infinity"]["ci95"]
    assert low <= 0 <= high
    assert scores["fid"]["value"] > 0


def test_warnings_go_to_stderr_and_into_the_result(gandiag_command, save_ring):
    finished = gandiag_command("score", save_ring(), "-m", "fid", "-n", 3, "--json", "-")
    warnings = json.loads(finished.out)["warnings"]
    assert any("fid_infinity is undefined" in warning for warning in warnings)
    assert "warning: fid_infinity is undefined" in finished.err


def test_no_such_file(refused):
    assert "there is no file 'none.pt'" in refused("score", "none.pt")


def test_a_near_miss_of_a_dataset_is_offered(refused):
    assert "did you mean 'stacked-mnist'?" in refused("score", "stacked-mnits")


def test_an_empty_file(refused, tmp_path):
    (tmp_path / "a.pt").touch()
    assert "is empty" in refused("score", tmp_path / "a.pt")


def test_a_folder_without_images(refused, tmp_path):
    assert "holds no images" in refused("score", tmp_path)


def test_a_truncated_checkpoint(refused, save_ring):
    path = save_ring()
    path.write_bytes(path.read_bytes()[:-300])
    assert "damaged" in refused("score", path)


def test_a_pickle_with_code_is_refused_and_its_code_does_not_run(refused, tmp_path):
    import pickle

    import torch

    canary = tmp_path / "canary"

    class Malice:
        def __reduce__(self):
            return os.mkdir, (str(canary),)

    for name, write in (
        ("zip.pt", lambda path: torch.save({"format": "gandiag.checkpoint/1", "builder": Malice()}, path)),
        ("raw.pt", lambda path: path.write_bytes(pickle.dumps(Malice()))),
    ):
        write(tmp_path / name)
        assert name in refused("score", tmp_path / name)
        assert not canary.exists()
    np.savez(tmp_path / "objects.npz", arr_0=np.array([Malice()], dtype=object))
    refused("score", tmp_path / "objects.npz", "--against", "ring8")
    assert not canary.exists()


def test_a_wrong_builder(refused, save_ring):
    assert "did you mean 'mlp'?" in refused("score", save_ring(builder="mpl"), *FAST)


def test_mismatched_shapes_are_named(refused, save_ring):
    path = save_ring(config={"latent_dim": 5, "shape": [2], "hidden": [16]})
    line = refused("score", path, *FAST)
    assert "(16, 4) in the file and (16, 5) in the network" in line


def test_a_wrong_latent(refused, save_ring):
    from gandiag import Latent

    assert "fails on noise of shape" in refused("score", save_ring(latent=Latent(9)), *FAST)


def test_nan_weights(refused, save_ring, ring_network):
    path = save_ring()
    import torch

    document = torch.load(path, weights_only=True)
    next(iter(document["generator"].values())).view(-1)[0] = float("nan")
    torch.save(document, path)
    assert "NaN" in refused("score", path)


def test_a_constant_generator(refused, save_ring, ring_network):
    state = {name: value * 0 for name, value in ring_network.state_dict().items()}
    assert "the same" in refused("score", save_ring(generator=state), *FAST)


def test_a_wrong_value_range(refused, save_picture_generator):
    line = refused("score", save_picture_generator(scale=127.0, offset=128.0), "--against", "mnist", *FAST)
    assert "outside the declared range [-1, 1]" in line
    line = refused("score", save_picture_generator(scale=0.5, offset=0.5), "--against", "mnist", *FAST)
    assert "none is in the lower half of the declared range [-1, 1]" in line


@pytest.mark.parametrize(("metric", "samples"), [("fid", 1), ("is", 9), ("pr", 5)])
def test_too_few_samples(refused, save_picture_generator, metric, samples):
    words = ("--against", "mnist", "--metric", metric, "--samples", samples)
    assert "too few" in refused("score", save_picture_generator(), *words)


def test_an_unknown_metric(refused, save_ring):
    assert "unknown metric 'fidd', did you mean 'fid'?" in refused("score", save_ring(), "--metric", "fidd")


def test_an_unknown_extractor(refused, save_ring):
    assert "did you mean 'pixels'?" in refused("score", save_ring(), "--extractor", "pixel")
    assert "unknown extractor" in refused("score", save_ring(), "--metric", "fid@none")


def test_a_metric_that_the_extractor_cannot_serve(refused, save_ring):
    assert "needs logits" in refused("score", save_ring(), "--metric", "is")


def test_an_extractor_that_cannot_take_the_samples(refused, save_ring):
    assert "takes images of 28 x 28" in refused("score", save_ring(), "-m", "fid", "--extractor", "digits")


def test_a_reference_of_another_shape(refused, save_ring):
    assert "(1, 28, 28)" in refused("score", save_ring(), "--against", "mnist")


def test_a_mistyped_option(refused, save_ring):
    line = refused("score", save_ring(), "--metrc", "fid")
    assert "--metrc" in line
    assert "--metric" in line


@pytest.mark.parametrize(
    "words",
    [
        ("--samples", "0"),
        ("--samples", "many"),
        ("--batch-size", "0"),
        ("--precision", "fp8"),
        ("--device", "cuda:x"),
        ("--device", "tpu"),
        ("--seed", "x"),
        ("--precision", "tf32", "--device", "cpu"),
        ("--metric", ""),
        ("--metric", ","),
        ("--weights", "none.safetensors", "--extractor", "digits", "--against", "mnist"),
        ("--preprocessing", "uint8", "--extractor", "pixels", "--against", "mnist"),
        ("--cache", "here", "--no-cache"),
        ("--interval", "2%"),
    ],
    ids=" ".join,
)
def test_options_that_make_no_sense(refused, save_picture_generator, words):
    refused("score", save_picture_generator(), *words)


@pytest.mark.skipif("__import__('torch').cuda.is_available()")
def test_a_gpu_that_is_not_there(refused, save_ring):
    assert "no CUDA GPU" in refused("score", save_ring(), "--device", "cuda")


def test_an_unwritable_output_is_refused_before_the_work(refused, save_ring, tmp_path):
    assert "cannot write" in refused("score", save_ring(), *FAST, "--json", "/proc/none/result.json")
    assert "it is a folder" in refused("score", save_ring(), *FAST, "--json", tmp_path)


def test_a_check_of_the_output_leaves_nothing_behind(refused, tmp_path):
    refused("score", "none.pt", "--json", tmp_path / "a" / "b" / "result.json")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_cannot_make_another_file_be_read(refused, save_ring, tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32))
    line = refused("score", save_ring(dataset=str(tmp_path / "points.npy")), "--metric", "fid")
    assert "--against" in line


def test_more_samples_than_there_are(refused, tmp_path):
    np.save(tmp_path / "points.npy", np.random.default_rng(0).normal(size=(50, 2)).astype(np.float32))
    assert "has 50 samples" in refused("score", tmp_path / "points.npy", "--against", "ring8", "--samples", 60)


def test_a_plan_for_fewer_samples_than_its_pilots(gandiag_command, tmp_path):
    np.save(tmp_path / "few.npy", np.random.default_rng(0).normal(size=(200, 2)))
    finished = gandiag_command("score", tmp_path / "few.npy", "--against", "ring8", "--metric", "fid", "--plan")
    assert (finished.code, "200" in finished.out) == (0, True), finished.err


def test_no_reference(refused, save_ring):
    assert "--against" in refused("score", save_ring(dataset=None), "--metric", "fid")


def test_a_dataset_that_is_not_here_says_how_to_get_it(refused):
    line = refused("score", "cifar10")
    assert "--data-root" in line
    assert "--download" in line


def test_an_unknown_split(refused):
    assert "no split 'validation'; it has train, test" in refused("score", "mnist:validation")


def test_the_default_extractor_of_photographs_is_not_in_this_version(refused, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, size=(20, 3, 8, 8), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    line = refused("score", tmp_path / "images.npy", "--against", tmp_path / "images.npy", "--metric", "fid")
    assert "inception" in line


def test_arrays_are_scored_against_arrays(gandiag_command, tmp_path):
    rng = np.random.default_rng(0)
    for name, shift in (("real", 0.0), ("fake", 2.0)):
        np.save(tmp_path / f"{name}.npy", (rng.normal(size=(3000, 2)) + shift).astype(np.float32))
    words = ("--against", tmp_path / "real.npy", "--extractor", "pixels", "--metric", "fid", "--json", "-")
    score = json.loads(gandiag_command("score", tmp_path / "fake.npy", *words).out)["scores"]["fid_infinity"]
    assert abs(score["value"] - 8.0) < 4 * score["stderr"]


def test_a_fault_of_ours_is_exit_3_with_one_line(gandiag_command, save_ring, monkeypatch):
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("something\nunforeseen")

    monkeypatch.setattr("gandiag.evaluation.score.score", broken)
    finished = gandiag_command("score", save_ring())
    assert finished.code == 3
    assert finished.err.count("\n") == 1
    finished = gandiag_command("score", save_ring(), "--debug")
    assert "Traceback" in finished.err


def test_ctrl_c_ends_with_130(gandiag_command, save_ring, monkeypatch):
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gandiag.evaluation.score.score", interrupted)
    finished = gandiag_command("score", save_ring())
    assert (finished.code, finished.err.strip()) == (130, "stopped")


def test_a_hostile_name_does_not_reach_the_terminal(gandiag_command, tmp_path):
    name = "evil\x1b[31m[bold]name.npy"
    np.save(tmp_path / name, np.random.default_rng(0).normal(size=(100, 2)).astype(np.float32))
    finished = gandiag_command("score", tmp_path / name, "--against", "ring8", "--metric", "fid")
    assert "\x1b" not in finished.out + finished.err
    assert "[bold]" in finished.out


def test_a_reader_that_leaves_early_is_no_error(save_ring):
    command = f"{sys.executable} -m gandiag list | head -n 1"
    finished = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert finished.stdout == "metrics:\n"
    assert finished.stderr == ""


def test_what_a_factory_prints_is_no_data(gandiag_command, save_ring, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "talking", raising=False)
    text = "from reference_models.networks.generators.mlp import build\n\nprint('hello')\n"
    (tmp_path / "talking.py").write_text(text, encoding="utf-8")
    state = torch.load(save_ring(), weights_only=True)["generator"]
    torch.save(state, tmp_path / "state.pth")
    config = json.dumps({"latent_dim": 4, "shape": [2], "hidden": [16]})
    words = ("--generator", "talking:build", "--generator-config", config, "--latent", 4, "--against", "ring8")
    finished = gandiag_command("score", "state.pth", *words, "-n", 300, "--metric", "fid", "--json", "-")
    assert finished.code == 0, finished.err
    assert json.loads(finished.out)["scores"]["fid"]["status"]
    assert "hello" in finished.err


def test_a_name_too_long_for_any_file_is_one_line(refused):
    assert "File name too long; name another place" in refused("sample", "mnist:test", "--out", "x" * 5000)
