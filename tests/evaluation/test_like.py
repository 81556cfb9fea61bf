"""Under another tool's protocol the value is that tool's: the same files, the same weights, both sides run."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image
from random_weights import inception_weights

import gandiag

COUNTS = {"real": 12, "fake": 10}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("images")
    for side, count in COUNTS.items():
        (root / side).mkdir()
        for index in range(count):
            small = rng.integers(0, 256, (6, 6, 3), dtype=np.uint8)
            image = Image.fromarray(small).resize((40, 40), Image.Resampling.BICUBIC)
            image.save(root / side / f"{index:03}.png")
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    inception_weights(path, 0)
    return path


def score(folders, weights, like, metrics):
    return gandiag.score(folders / "fake", metrics, against=folders / "real", weights=weights, like=like, batch_size=10)


@pytest.mark.parity
@pytest.mark.filterwarnings("ignore:This DataLoader will create")
def test_torch_fidelity(folders, weights):
    peer = pytest.importorskip("torch_fidelity")
    found = score(folders, weights, "torch-fidelity", "fid,is")
    expected = peer.calculate_metrics(
        input1=str(folders / "fake"),
        input2=str(folders / "real"),
        fid=True,
        isc=True,
        cuda=False,
        cache=False,
        verbose=False,
        batch_size=10,
        feature_extractor_weights_path=str(weights),
    )
    assert found["fid"].value == pytest.approx(expected["frechet_inception_distance"], rel=1e-4)
    assert found["is"].value == pytest.approx(expected["inception_score_mean"], rel=1e-5)
    assert found["fid"].n_fake == 10
    assert found["fid"].n_real == 12


@pytest.mark.parity
def test_torchmetrics(folders, weights):
    peer = pytest.importorskip("torchmetrics.image.fid")
    found = score(folders, weights, "torchmetrics", "fid")
    metric = peer.FrechetInceptionDistance(feature_extractor_weights_path=str(weights), antialias=True)
    for side in COUNTS:
        images = [np.asarray(Image.open(file)) for file in sorted((folders / side).iterdir())]
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        metric.update(batch, real=side == "real")
    assert found["fid"].value == pytest.approx(float(metric.compute()), rel=1e-3)  # its moments end in float32


@pytest.mark.parity
def test_pytorch_fid(folders, weights, monkeypatch):
    peer = pytest.importorskip("pytorch_fid.inception")
    module = pytest.importorskip("pytorch_fid.fid_score")
    state = torch.load(weights, weights_only=True)
    monkeypatch.setattr(peer, "load_state_dict_from_url", lambda *args, **options: state)
    network = peer.InceptionV3([peer.InceptionV3.BLOCK_INDEX_BY_DIM[2048]]).eval()
    activations = []
    for side in ("real", "fake"):
        files = sorted((folders / side).iterdir())
        activations.append(module.get_activations(files, network, batch_size=10, device="cpu", num_workers=0))
    found = score(folders, weights, "pytorch-fid", "fid")
    mean = ((activations[0].mean(0) - activations[1].mean(0)) ** 2).sum()
    # Its own distance needs a SciPy whose sqrtm takes `disp`; by the definition, from its own features:
    centred = [
        (rows - rows.mean(0)) / (len(rows) - 1) ** 0.5 for rows in (side.astype(np.float64) for side in activations)
    ]
    root = np.linalg.svd(centred[0] @ centred[1].T, compute_uv=False).sum()
    expected = mean + sum((rows**2).sum() for rows in centred) - 2 * root
    assert found["fid"].value == pytest.approx(expected, rel=1e-4)


@pytest.mark.parity
def test_clean_fid(folders, weights):
    resize = pytest.importorskip("cleanfid.resize")
    from gandiag.core.protocols import ExtractorOptions
    from gandiag.extractors import open_extractor

    resizer = resize.make_resizer("PIL", False, "bicubic", (299, 299))
    extractor = open_extractor("inception", ExtractorOptions(weights=weights))
    features = []
    for side in ("real", "fake"):
        images = [resizer(np.asarray(Image.open(file))) for file in sorted((folders / side).iterdir())]
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        features.append(torch.cat([extractor(part).features for part in batch.split(10)]))  # 299 already: as they are
    from gandiag.metrics.fid import fid

    found = score(folders, weights, "clean-fid", "fid")
    assert found["fid"].value == pytest.approx(fid(real=features[0], fake=features[1])["fid"].value, rel=1e-4)


def test_stylegans_covariance_is_divided_by_n(folders, weights):
    plain = score(folders, weights, None, "fid")["fid"]
    like = gandiag.score(
        folders / "fake", "fid", against=folders / "real", weights=weights, like="stylegan3", samples=10, batch_size=10
    )["fid"]
    assert like.params == {"covariance": "divided by N"}
    assert like.value < plain.value
    assert like.fingerprint != plain.fingerprint


def test_as_many_samples_as_the_tool_would_take():
    """By itself KID stops at 10,000 samples; torchmetrics takes all that it is given."""
    draw = np.random.default_rng(0)
    real, fake = draw.normal(size=(10_100, 2)), draw.normal(size=(10_050, 2))
    plain, found = (
        gandiag.score(fake, "kid", against=real, extractor="pixels", like=each)["kid"]
        for each in (None, "torchmetrics")
    )
    assert (plain.n_real, plain.n_fake) == (10_000, 10_000)
    assert (found.n_real, found.n_fake) == (10_100, 10_050)


def test_all_of_a_source_is_taken_where_the_tool_takes_all():
    points = gandiag.load_dataset("ring8").read(0, 3000)
    found = [gandiag.score(points, "pr", against="ring8", like=each)["precision"] for each in (None, "prdc")]
    assert [each.n_fake for each in found] == [2500, 3000]
