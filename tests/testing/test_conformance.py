"""Whatever is registered does what everything of its kind must do."""

from __future__ import annotations

import pytest
import safetensors.torch
import torch
from torch import nn

from gandiag.core.errors import MissingDataError, UsageError
from gandiag.core.protocols import DatasetOptions, ExtractorOptions, ImageSpec, Latent
from gandiag.datasets import DATASETS, load_dataset
from gandiag.extractors import EXTRACTORS
from gandiag.metrics import METRICS
from gandiag.monitor.detectors import DETECTORS
from gandiag.sources.arrays import tensor_source
from gandiag.sources.generator import generator_source
from gandiag.testing import check_dataset, check_detector, check_extractor, check_metric, check_source

NEEDS_DATA = {"cifar10", "cifar100", "fashion-mnist", "kmnist"}


@pytest.mark.parametrize("name", METRICS.names())
def test_metric(name):
    check_metric(METRICS.load(name))


@pytest.mark.parametrize("name", EXTRACTORS.names())
def test_extractor(name):
    try:
        EXTRACTORS.load(name)(ExtractorOptions())
    except MissingDataError as error:
        pytest.skip(str(error))
    check_extractor(EXTRACTORS.load(name), load_dataset("stacked-mnist").read(0, 8))


@pytest.mark.parametrize("name", DETECTORS.names())
def test_detector(name):
    check_detector(DETECTORS.load(name))


@pytest.mark.parametrize("name", DATASETS.names())
@pytest.mark.parametrize("split", ["train", "test"])
def test_dataset(name, split):
    try:
        check_dataset(DATASETS.load(name), DatasetOptions(split=split))
    except UsageError as error:
        assert split == "test"
        pytest.skip(str(error))
    except MissingDataError as error:
        assert name in NEEDS_DATA
        pytest.skip(str(error))


def test_the_digits_follow_their_weights(tmp_path):
    digits = EXTRACTORS.load("digits")
    state = digits(ExtractorOptions()).network.state_dict()
    other = {name: value.contiguous() * 1.01 for name, value in state.items()}
    safetensors.torch.save_file(other, tmp_path / "other.safetensors")
    check_extractor(digits, load_dataset("mnist").read(0, 8), other_weights=tmp_path / "other.safetensors")


def test_a_network_as_a_source():
    linear = nn.Linear(4, 3 * 4 * 4)
    with torch.no_grad():
        for value in linear.parameters():
            value.copy_(torch.linspace(-1, 1, value.numel()).view_as(value))
    network = nn.Sequential(linear, nn.Tanh(), nn.Unflatten(1, (3, 4, 4)))

    def open_source():
        return generator_source(network, name="net", latent=Latent(4), image=ImageSpec((3, 4, 4)))

    check_source(open_source, tolerance=1)


def test_an_array_as_a_source():
    check_source(lambda: tensor_source(torch.arange(500.0).reshape(100, 5)))
