"""Features are kept from run to run, under all that they depend on."""

from __future__ import annotations

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
