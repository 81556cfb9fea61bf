"""Scores against statistics files, and against more of the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import gandiag
from gandiag.core.errors import InputError, UnknownNameError, UsageError
from gandiag.evaluation.statistics import build_statistics
from gandiag.statistics.statistics_file import write_statistics
from gandiag.statistics.statistics_npz import write_npz


@pytest.fixture(scope="module")
def images():
    return torch.from_numpy(np.random.default_rng(0).integers(0, 256, (200, 1, 28, 28), dtype=np.uint8))


@pytest.fixture(scope="module")
def statistics(tmp_path_factory):
    path = tmp_path_factory.mktemp("statistics") / "mnist.safetensors"
    write_statistics(path, build_statistics("mnist:test"))
    return path


def test_a_statistics_file_scores_as_what_it_is_of(statistics, images):
    direct = gandiag.score(images, "fid", against="mnist:test")
    from_file = gandiag.score(images, "fid", against=statistics)
    assert from_file.scores == direct.scores


def test_a_drawn_dataset_that_is_named_as_held_out_is_drawn_anew():
    options = {"against": "ring8", "samples": 300}
    by_default = gandiag.score("ring8", "memorization", **options)
    named = gandiag.score("ring8", "memorization", **options, held_out="ring8")
    assert {name: score.value for name, score in named.scores.items()} == {
        name: score.value for name, score in by_default.scores.items()
    }
    with pytest.raises(InputError, match="holds the reference's own samples; name others"):
        gandiag.score("mnist:test", "memorization", against="mnist", held_out="mnist", samples=100)


def test_a_generator_is_its_own_reference_and_held_out_samples_too(save_picture_generator):
    path = save_picture_generator()
    found = gandiag.score(path, "memorization", against=path, held_out=path, extractor="pixels", samples=200)
    assert all(score.status != "undefined" for score in found.scores.values())


def test_a_file_of_another_tool_gives_the_value_and_says_what_it_does_not_know(tmp_path, images):
    write_npz(tmp_path / "mnist.npz", build_statistics("mnist:test"))
    direct = gandiag.score(images, "fid", against="mnist:test")["fid"]
    found = gandiag.score(images, "fid", against=tmp_path / "mnist.npz", extractor="digits")["fid"]
    assert found.value == pytest.approx(direct.value, rel=1e-9)
    assert found.n_real is None
    assert "not known" in found.error_method
    assert 0 < found.stderr <= direct.stderr * 1.001


def test_default_metrics_are_those_that_a_file_can_serve(tmp_path, statistics, images):
    assert {"fid", "is", "precision"} <= set(gandiag.score(images, against=statistics).scores)  # it has all rows
    write_npz(tmp_path / "mnist.npz", build_statistics("mnist:test"))
    scores = gandiag.score(images, against=tmp_path / "mnist.npz", extractor="digits").scores
    assert set(scores) == {"fid", "fid_infinity", "is"}


def test_a_metric_that_the_file_cannot_serve_says_why(tmp_path, statistics, images):
    with pytest.raises(UsageError, match="modes"):
        gandiag.score(images, "modes", against=statistics)


def test_statistics_say_what_samples_must_share_with_theirs(tmp_path, images):
    path = tmp_path / "made.safetensors"
    write_statistics(path, build_statistics(images, extractor="digits", precision="bf16"))
    with pytest.raises(InputError, match=r"\(1, 14, 14\).*\(1, 28, 28\)"):
        gandiag.score(images[:, :, ::2, ::2], "fid", against=path)
    found, same = (gandiag.score(images, "fid", against=path, precision=each) for each in ("fp32", "bf16"))
    options = {"metrics": "fid", "against": images, "extractor": "digits"}
    assert any("made in 'bf16'" in warning for warning in found.warnings)
    assert not any("made in" in warning for warning in same.warnings)
    assert found["fid"].fingerprint != gandiag.score(images, **options)["fid"].fingerprint
    assert same["fid"].fingerprint == gandiag.score(images, precision="bf16", **options)["fid"].fingerprint


def test_statistics_in_memory_are_a_reference(tmp_path, images, statistics):
    read = gandiag.read_statistics(statistics)
    assert gandiag.score(images, "fid", against=read).scores == gandiag.score(images, "fid", against=statistics).scores


def test_statistics_of_another_extractor_are_refused(statistics, images):
    with pytest.raises(UsageError, match="extractor 'digits'"):
        gandiag.score(images, "fid", against=statistics, extractor="pixels")


def test_the_protocol_of_another_tool_is_in_the_result(images):
    plain = gandiag.score(images, "pr", against="mnist:test")
    like = gandiag.score(images, "pr", against="mnist:test", like="prdc")
    assert like.protocol["like"] == "prdc"
    assert like["precision"].params == {"k": 5, "closed": False}
    assert like["precision"].fingerprint != plain["precision"].fingerprint
    with pytest.raises(UnknownNameError, match="did you mean 'pytorch-fid'"):
        gandiag.score(images, "fid", against="mnist:test", like="pytorch_fid")


@pytest.mark.parity
def test_like_prdc_equals_prdc(images):
    peer = pytest.importorskip("prdc")
    real = gandiag.load_dataset("mnist", split="test").read(0, 300)
    fake = gandiag.load_dataset("mnist").read(0, 200)
    found = gandiag.score(fake, "pr", against=real, like="prdc", extractor="pixels")
    flat = [side.flatten(1).float().numpy() / 255 for side in (real, fake)]
    expected = peer.compute_prdc(real_features=flat[0], fake_features=flat[1], nearest_k=5)
    for name, value in expected.items():
        assert found[name].value == pytest.approx(value, abs=1e-9), name
