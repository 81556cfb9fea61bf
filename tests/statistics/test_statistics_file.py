from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from gandiag.core.errors import InputError, UsageError
from gandiag.statistics.frechet import frechet_distance
from gandiag.statistics.grouped_moments import grouped_moments
from gandiag.statistics.moments import moments
from gandiag.statistics.reference_statistics import ReferenceStatistics
from gandiag.statistics.statistics_file import is_statistics_file, outlines, read_statistics, write_statistics
from gandiag.statistics.statistics_npz import write_npz


@pytest.fixture
def features(normal):
    return normal(200, 6) + 2


@pytest.fixture
def moved(normal):
    return normal(300, 6) * 2


def statistics_of(features, **changes):
    arguments = {
        "name": "data",
        "convention": "ours",
        "moments": grouped_moments(features),
        "samples": len(features),
        "extractor": "pixels",
        "extractor_sha256": None,
        "preprocessing": "as they are",
        "source_sha256": "ab" * 32,
        "protocol": {"precision": "fp32", "source": {"shape": [6]}},
    }
    return ReferenceStatistics(**{**arguments, **changes})


def distance(one, other):
    return frechet_distance(real=one, fake=other).distance


def in_numpy(features):
    """Mean and covariance as the peers compute them."""
    return {"mu": np.mean(features.numpy(), axis=0), "sigma": np.cov(features.numpy(), rowvar=False)}


def test_its_own_file_comes_back_whole(tmp_path, normal):
    features = normal(9000, 5, dtype=torch.float32)
    written = statistics_of(features, spatial_moments=grouped_moments(features[:100, :3]))
    write_statistics(tmp_path / "ref.stats", written)
    read = read_statistics(tmp_path / "ref.stats")
    for name in ("name", "samples", "extractor", "extractor_sha256", "preprocessing", "source_sha256", "protocol"):
        assert getattr(read, name) == getattr(written, name), name
    assert read.path == str(tmp_path / "ref.stats")
    assert len(read.sha256) == 64
    assert read.warnings == ()
    assert torch.equal(read.moments.rows, features[:8192])
    assert read.moments.group_count == written.moments.group_count > 1
    assert distance(read.moments.whole, written.moments.whole) < 1e-12
    assert torch.equal(read.spatial_moments.rows, written.spatial_moments.rows)
    assert read.bank().features is None
    assert read.bank().moments is read.moments
    assert is_statistics_file(tmp_path / "ref.stats")


def test_features_of_all_samples_serve_every_metric(tmp_path, features):
    write_statistics(tmp_path / "ref.stats", statistics_of(features))
    assert torch.equal(read_statistics(tmp_path / "ref.stats").bank().features, features)


@pytest.mark.parametrize("place", [0.001, 0.01, 0.3, 0.9])
def test_a_damaged_file_is_refused(tmp_path, features, place):
    path = tmp_path / "ref.stats"
    write_statistics(path, statistics_of(features))
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 4
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"ref\.stats"):
        read_statistics(path)


def test_a_write_that_fails_keeps_the_old_file(tmp_path, features):
    write_statistics(tmp_path / "ref.stats", statistics_of(features))
    with pytest.raises(ValueError, match="JSON"):
        write_statistics(tmp_path / "ref.stats", statistics_of(features, protocol={"bad": float("nan")}))
    assert read_statistics(tmp_path / "ref.stats").name == "data"
    assert len(list(tmp_path.iterdir())) == 1


def test_pytorch_fid_s_file(tmp_path, features, moved):
    np.savez_compressed(tmp_path / "ref.npz", **in_numpy(features))
    read = read_statistics(tmp_path / "ref.npz")
    assert is_statistics_file(tmp_path / "ref.npz")
    assert read.samples is None
    assert read.moments.count is None
    assert read.extractor is None
    assert "pytorch-fid" in read.convention
    assert "N - 1" in read.convention
    assert any("which tool" in warning for warning in read.warnings)
    assert any("how many samples" in warning for warning in read.warnings)
    assert any("6 features" in warning for warning in read.warnings)
    assert torch.equal(read.moments.whole.covariance, torch.from_numpy(in_numpy(features)["sigma"]))
    expected = distance(moments(features), moments(moved))
    assert distance(read.moments.whole, moments(moved)) == pytest.approx(expected, rel=1e-12)


def test_the_width_of_inception_says_which_network(tmp_path):
    np.savez(tmp_path / "ref_pytorch-fid.npz", mu=np.zeros(2048), sigma=np.eye(2048))
    read = read_statistics(tmp_path / "ref_pytorch-fid.npz")
    assert (read.extractor, read.preprocessing) == ("inception", "pytorch-fid")
    assert len(read.warnings) == 1


@pytest.mark.parametrize(
    ("name", "tool", "preprocessing"),
    [
        ("ffhq_clean_trainval70k_1024", "clean-fid", "clean"),
        ("photos_clean_custom_na", "clean-fid", "clean"),
        ("photos_legacy_tensorflow_custom_na", "clean-fid", "tf1"),
        ("photos_legacy_pytorch_custom_na", "clean-fid", "pytorch-fid"),
        ("edm-cifar10-32x32", "EDM", "tf1"),
    ],
)
def test_the_name_of_the_file_is_a_hint(tmp_path, features, name, tool, preprocessing):
    np.savez_compressed(tmp_path / f"{name}.npz", **in_numpy(features))
    read = read_statistics(tmp_path / f"{name}.npz")
    assert tool in read.convention
    assert f"({preprocessing})" in read.convention
    assert not any("which tool" in warning for warning in read.warnings)


def test_clean_fid_s_features(tmp_path, features):
    np.savez_compressed(tmp_path / "photos_clean_custom_na_kid.npz", feats=features.float().numpy())
    path = tmp_path / "photos_clean_custom_na_kid.npz"
    assert is_statistics_file(path)
    read = read_statistics(path)
    assert read.samples == 200
    assert not torch.equal(read.features, features.float()), "the order of a file may be by class"
    assert torch.equal(read.features.sort(dim=0).values, features.float().sort(dim=0).values)
    assert read.bank().features is read.features
    assert distance(read.moments.whole, moments(features.float())) < 1e-12
    with pytest.raises(UsageError, match="200 samples, not 100"):
        read_statistics(path, samples=100)


def test_stylegan_s_covariance_is_over_n(tmp_path, features):
    values = in_numpy(features)
    np.savez(tmp_path / "ref.npz", mu=values["mu"], sigma=values["sigma"] * 199 / 200)
    known = read_statistics(tmp_path / "ref.npz", convention="stylegan", samples=200)
    assert known.samples == known.moments.count == 200
    assert torch.allclose(known.moments.whole.covariance, moments(features).covariance, rtol=1e-12)
    unknown = read_statistics(tmp_path / "ref.npz", convention="stylegan")
    assert any("divided by N" in warning for warning in unknown.warnings)
    assert torch.equal(unknown.moments.whole.covariance, torch.from_numpy(values["sigma"] * 199 / 200))


def test_adm_s_reference_batch(tmp_path, features, moved):
    spatial = in_numpy(moved)
    arrays = {**in_numpy(features), "mu_s": spatial["mu"], "sigma_s": spatial["sigma"]}
    np.savez(tmp_path / "VIRTUAL_set.npz", arr_0=np.zeros((4, 8, 8, 3), np.uint8), **arrays)
    read = read_statistics(tmp_path / "VIRTUAL_set.npz")
    assert "ADM" in read.convention
    assert distance(read.spatial_moments.whole, moments(moved)) < 1e-12
    assert any("images" in warning for warning in read.warnings)


def test_images_are_no_statistics(tmp_path, features):
    np.savez(tmp_path / "samples.npz", np.zeros((4, 8, 8, 3), np.uint8))
    np.savez(tmp_path / "labelled.npz", np.zeros((4, 8, 8, 3), np.uint8), np.zeros(4))
    np.save(tmp_path / "array.npy", features.numpy())
    (tmp_path / "text.npz").write_text("not a zip")
    (tmp_path / "empty").write_bytes(b"")
    torch.save({"a": 1}, tmp_path / "checkpoint.pt")
    for path in (*tmp_path.iterdir(), tmp_path, tmp_path / "missing"):
        assert not is_statistics_file(path), path
    with pytest.raises(InputError, match="'arr_0', and no statistics"):
        read_statistics(tmp_path / "samples.npz")
    for name in ("array.npy", "text.npz", "empty"):
        with pytest.raises(InputError, match=name):
            read_statistics(tmp_path / name)
    with pytest.raises(InputError, match="No such file"):
        read_statistics(tmp_path / "missing")


class Canary:
    """Leaves a file behind where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_python_objects_are_refused_and_not_run(tmp_path, features):
    mark = tmp_path / "ran"
    values = in_numpy(features)
    np.savez(tmp_path / "objects.npz", mu=np.array([Canary(mark)], dtype=object), sigma=values["sigma"])
    assert is_statistics_file(tmp_path / "objects.npz")
    with pytest.raises(InputError, match="never unpickles"):
        read_statistics(tmp_path / "objects.npz")
    (tmp_path / "cache.pkl").write_bytes(pickle.dumps({"mu": Canary(mark)}))
    assert not is_statistics_file(tmp_path / "cache.pkl")
    with pytest.raises(InputError, match="pickle, as StyleGAN"):
        read_statistics(tmp_path / "cache.pkl")
    assert not mark.exists()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"mu": np.zeros(3), "sigma": np.eye(4)}, "shape"),
        ({"mu": np.zeros((3, 1)), "sigma": np.eye(3)}, "shape"),
        ({"mu": np.zeros(0), "sigma": np.zeros((0, 0))}, "shape"),
        ({"mu": np.zeros(3), "sigma": np.triu(np.ones((3, 3)))}, "not symmetric"),
        ({"mu": np.array([0, np.nan]), "sigma": np.eye(2)}, "not finite"),
        ({"mu": np.zeros(2), "sigma": np.diag([1, np.inf])}, "not finite"),
        ({"mu": np.zeros(2), "sigma": np.diag([1, -0.1])}, "negative variance"),
        ({"mu": np.zeros(2), "sigma": np.array([[0, 1], [1, 0.0]])}, "negative variance"),
        ({"mu": np.array(["a", "b"]), "sigma": np.eye(2)}, "expected numbers"),
        ({"mu": np.zeros(2, complex), "sigma": np.eye(2)}, "expected numbers"),
        ({"feats": np.zeros((1, 3))}, "two samples"),
        ({"feats": np.zeros(3)}, "two samples"),
        ({"feats": np.full((3, 3), np.nan)}, "not finite"),
    ],
)
def test_what_cannot_be_statistics_is_refused(tmp_path, arrays, message):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(InputError, match=message) as raised:
        read_statistics(tmp_path / "bad.npz")
    assert "bad.npz" in str(raised.value)


@pytest.mark.parametrize("covariance", [np.zeros((3, 3)), np.ones((3, 3)), np.diag([1.0, 1e-30, 0.0])])
def test_a_covariance_of_lower_rank_is_one(tmp_path, covariance):
    np.savez(tmp_path / "flat.npz", mu=np.zeros(3, np.float32), sigma=covariance.astype(np.float32))
    assert read_statistics(tmp_path / "flat.npz").moments.dimension == 3


def test_rounding_to_single_precision_is_forgiven(tmp_path, features):
    values = in_numpy(features[:4])
    np.savez(tmp_path / "ref.npz", **{name: value.astype(">f4") for name, value in values.items()})
    covariance = read_statistics(tmp_path / "ref.npz").moments.whole.covariance
    assert torch.allclose(covariance, moments(features[:4]).covariance, atol=1e-6)


def test_a_cut_npz_is_an_input_error(tmp_path, features):
    np.savez(tmp_path / "ref.npz", **in_numpy(features))
    content = (tmp_path / "ref.npz").read_bytes()
    (tmp_path / "short.npz").write_bytes(content[: len(content) // 2])
    changed = bytearray(content)
    changed[200] ^= 1
    (tmp_path / "changed.npz").write_bytes(changed)
    for name in ("short", "changed"):
        with pytest.raises(InputError, match=name):
            read_statistics(tmp_path / f"{name}.npz")


def test_arguments_that_do_not_fit_are_usage_errors(tmp_path, features):
    np.savez(tmp_path / "ref.npz", **in_numpy(features))
    with pytest.raises(UsageError, match=r"did you mean 'stylegan'.*known"):
        read_statistics(tmp_path / "ref.npz", convention="stylegan3")
    write_statistics(tmp_path / "ref.stats", statistics_of(features))
    with pytest.raises(UsageError, match=r"no \.npz"):
        read_statistics(tmp_path / "ref.stats", samples=200)


def test_pytorch_fid_reads_what_is_written_for_it(tmp_path, features):
    write_npz(tmp_path / "for_others", statistics_of(features))
    with np.load(tmp_path / "for_others", allow_pickle=False) as found:
        assert sorted(found.files) == ["mu", "sigma"]
        values = in_numpy(features)
        np.testing.assert_allclose(found["mu"], values["mu"], rtol=1e-12)
        np.testing.assert_allclose(found["sigma"], values["sigma"], rtol=1e-10, atol=1e-14)
    assert [path.name for path in tmp_path.iterdir()] == ["for_others"]


def test_the_files_of_a_folder_are_outlined_from_their_headers(tmp_path, features):
    write_statistics(tmp_path / "b.stats", statistics_of(features))
    np.savez(tmp_path / "a_clean_b.npz", **in_numpy(features))
    np.savez(tmp_path / "images.npz", np.zeros((4, 8, 8, 3), np.uint8))
    found = list(outlines(tmp_path))
    assert [(each.path.name, each.kind, each.name, each.samples, each.extractor) for each in found] == [
        ("a_clean_b.npz", "clean-fid", None, None, None),
        ("b.stats", "gandiag", "data", 200, "pixels"),
    ]
    with pytest.raises(InputError, match="missing"):
        list(outlines(tmp_path / "missing"))
