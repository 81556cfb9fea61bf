"""Features are kept from run to run, under all that they depend on."""

from __future__ import annotations

import numpy as np
import pytest

import gandiag
from gandiag.evaluation import kept


@pytest.fixture
def passes(monkeypatch):
    """The sources that were really read."""
    read, original = [], kept.extract

    def extract(source, tasks, samples, **options):
        read.append((source.info.name, sorted(head for task in tasks.values() for head in task.heads)))
        return original(source, tasks, samples, **options)

    monkeypatch.setattr(kept, "extract", extract)
    return read


def score(cache, metrics="fid,modes", source="ring8", **options):
    return gandiag.score(source, metrics, samples=options.pop("samples", 300), cache=cache, **options)


def test_the_second_run_reads_nothing_and_gives_the_same_scores(tmp_path, passes):
    first = score(tmp_path)
    assert len(passes) == 2
    second = score(tmp_path)
    assert len(passes) == 2
    assert second.scores == first.scores
    assert second.warnings == first.warnings


def test_another_metric_reads_for_what_it_lacks_alone(tmp_path, passes):
    score(tmp_path, "fid")
    score(tmp_path, "fid,pr")
    assert [heads for _, heads in passes] == [["moments"], ["moments"], ["features"], ["features"]]


@pytest.mark.parametrize(
    "options", [{"samples": 301}, {"seed": 5}, {"batch_size": 77}, {"source": "grid25", "against": "ring8"}]
)
def test_whatever_the_features_depend_on_is_in_the_key(tmp_path, passes, options):
    score(tmp_path, "fid")
    score(tmp_path, "fid", **options)
    assert len(passes) >= 3
    fresh = score(False, "fid", **options)
    assert score(tmp_path, "fid", **options).scores == fresh.scores


def test_other_weights_are_other_features(tmp_path, save_ring, passes):
    one = score(tmp_path, "fid", source=str(save_ring("one.pt")))
    import torch

    other = torch.nn.Module()
    from reference_models.networks.generators import mlp

    other = mlp.build(latent_dim=4, shape=[2], hidden=[16])
    assert score(tmp_path, "fid", source=str(save_ring("one.pt", generator=other))).scores != one.scores


def test_a_network_in_memory_is_not_kept(tmp_path, ring_network):
    options = {"against": "ring8", "latent": gandiag.Latent(4), "image": gandiag.ImageSpec((2,), None)}
    score(tmp_path, "fid", source=ring_network, **options)
    assert len(list(tmp_path.glob("*.safetensors"))) == 1  # the reference


def test_a_damaged_entry_is_computed_again_and_said(tmp_path, passes):
    first = score(tmp_path)
    for entry in tmp_path.glob("*.safetensors"):
        content = bytearray(entry.read_bytes())
        content[-3] ^= 1
        entry.write_bytes(content)
    again = score(tmp_path)
    assert again.scores == first.scores
    assert any("computed again" in warning for warning in again.warnings)
    assert score(tmp_path).warnings == first.warnings


def test_two_arrays_of_one_file_are_two_sets_of_samples(tmp_path):
    draw = np.random.default_rng(0)
    path = tmp_path / "epochs.npz"
    np.savez(path, good=draw.normal(size=(200, 2)), bad=draw.normal(3.0, 1.0, size=(200, 2)))
    reference = draw.normal(size=(200, 2))
    cached, plain = (
        [score(cache, "fid", f"{path}:{key}", against=reference, samples=200) for key in ("good", "bad")]
        for cache in (tmp_path / "cache", False)
    )
    assert [each["fid"].value for each in cached] == [each["fid"].value for each in plain]
    assert cached[0]["fid"].value < 1 < cached[1]["fid"].value
    same = gandiag.score(f"{path}:good", "fid", against=f"{path}:bad")
    assert not any("the same samples" in warning for warning in same.warnings)


def test_the_order_of_the_samples_is_in_the_key(tmp_path):
    draw = np.random.default_rng(1)
    np.save(tmp_path / "fake.npy", draw.integers(0, 256, (100, 1, 4, 4), dtype=np.uint8))
    options = {"source": str(tmp_path / "fake.npy"), "against": draw.integers(0, 256, (100, 1, 4, 4), dtype=np.uint8)}
    options |= {"metrics": "kid", "extractor": "pixels", "samples": 60}
    for like in (None, "torch-fidelity"):  # the other takes the samples in the order of the file
        cached, plain = (score(cache, like=like, **options) for cache in (tmp_path / "cache", False))
        assert cached["kid"].value == plain["kid"].value
