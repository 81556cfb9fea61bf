from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import torchvision

from gandiag.core.errors import InputError, MissingDataError
from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors import EXTRACTORS, open_extractor
from gandiag.testing import check_extractor


@pytest.fixture(scope="module")
def vgg16_file(tmp_path_factory):
    """Weights as large as the true ones, 553 MB."""
    generator = torch.Generator().manual_seed(0)
    with torch.device("meta"):
        shapes = torchvision.models.vgg16(weights=None, init_weights=False).state_dict()
    state = {
        name: torch.randn(value.shape, generator=generator) * (2 / value[0].numel()) ** 0.5
        if value.ndim > 1
        else 0.1 * torch.randn(value.shape, generator=generator)
        for name, value in shapes.items()
    }
    path = tmp_path_factory.mktemp("vgg16") / "vgg16.pth"
    torch.save(state, path)
    yield path
    path.unlink()


@pytest.mark.slow
@pytest.mark.parity
def test_it_equals_torch_fidelity_and_follows_the_rules(vgg16_file, pictures):
    load = EXTRACTORS.load("vgg16")
    check_extractor(lambda options: load(replace(options, weights=options.weights or vgg16_file)), pictures[:4])
    module = pytest.importorskip("torch_fidelity.feature_extractor_vgg16")
    theirs = module.FeatureExtractorVGG16("vgg16", ["fc2_relu"], feature_extractor_weights_path=str(vgg16_file))
    ours, expected = load(ExtractorOptions(weights=vgg16_file))(pictures).features, theirs(pictures)[0]
    assert ours.shape == (6, 4096)
    assert float((ours - expected).abs().max() / expected.abs().max()) < 1e-5


def test_without_weights_it_says_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDataError, match="gandiag weights fetch vgg16"):
        open_extractor("vgg16", ExtractorOptions())


def test_weights_that_do_not_fit_are_an_input_error(tmp_path):
    torch.save({"a": torch.ones(2)}, tmp_path / "w.pth")
    with pytest.raises(InputError, match="do not fit the extractor vgg16"):
        open_extractor("vgg16", ExtractorOptions(weights=tmp_path / "w.pth"))
