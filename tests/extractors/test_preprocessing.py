from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from gandiag.core.errors import InputError, UsageError
from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors import check_used, open_extractor
from gandiag.extractors._preprocessing import PREPROCESSING, colour_images, find_preprocessing

FROMARRAY = Image.fromarray
SHAPES = [(32, 32), (7, 11), (299, 299), (300, 640), (1, 5)]


def images(shape, *, count=2):
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(0, 256, (count, 3, *shape), generator=generator, dtype=torch.uint8).float()


@pytest.mark.parametrize("name", PREPROCESSING)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_resizes_to_the_size_and_keeps_a_plain_image_plain(name, shape):
    preprocessing = find_preprocessing(name)
    resized = preprocessing.resize(images(shape), 21)
    assert resized.shape == (2, 3, 21, 21)
    assert resized.dtype == torch.float32
    plain = preprocessing.resize(torch.full((1, 3, *shape), 51.0), 21)
    torch.testing.assert_close(plain, torch.full((1, 3, 21, 21), preprocessing.white / 5), rtol=1e-5, atol=1e-4)
    black_and_white = preprocessing.centred(torch.tensor([0.0, preprocessing.white]))
    torch.testing.assert_close(black_and_white, torch.tensor([-1.0, 1.0]), rtol=0.01, atol=0)


def test_tf1_is_what_its_definition_says():
    row = torch.tensor([0.0, 10.0, 40.0]).expand(1, 3, 1, 3)
    # Corners at 0, 0.6, 1.2, 1.8, 2.4 of the old row; the last pixel reaches to its end.
    torch.testing.assert_close(find_preprocessing("tf1").resize(row, 5)[0, 0, 0], torch.tensor([0.0, 6, 16, 34, 40]))


def test_one_image_does_not_depend_on_the_others():
    batch = images((33, 45), count=5)
    for preprocessing in PREPROCESSING.values():
        whole = preprocessing.resize(batch, 64)
        for i in range(5):
            torch.testing.assert_close(preprocessing.resize(batch[i : i + 1], 64)[0], whole[i], rtol=0, atol=1e-4)


def test_grey_images_are_repeated():
    grey = torch.arange(8, dtype=torch.uint8).reshape(2, 1, 2, 2)
    assert torch.equal(colour_images(grey, "inception"), grey.repeat(1, 3, 1, 1))


@pytest.mark.parametrize("shape", [(4, 2), (4, 2, 8, 8), (4, 4, 8, 8), (3, 8, 8)])
def test_what_is_no_picture_is_an_input_error(shape):
    with pytest.raises(InputError, match="grey or colour"):
        colour_images(torch.zeros(shape), "inception")


def test_an_unknown_name_is_a_usage_error():
    with pytest.raises(UsageError, match="did you mean 'clean'"):
        find_preprocessing("cleam")


@pytest.mark.parity
@pytest.mark.parametrize("shape", SHAPES)
def test_tf1_equals_torch_fidelity(shape):
    module = pytest.importorskip("torch_fidelity.interpolate_compat_tensorflow")
    theirs = module.interpolate_bilinear_2d_like_tensorflow1x(images(shape), size=(299, 299), align_corners=False)
    assert torch.equal(find_preprocessing("tf1").resize(images(shape), 299), theirs)


@pytest.mark.parity
@pytest.mark.parametrize("shape", SHAPES)
def test_clean_equals_clean_fid(shape, monkeypatch):
    resize = pytest.importorskip("cleanfid.resize")
    resizer = resize.make_resizer("PIL", False, "bicubic", (299, 299))
    monkeypatch.setattr(resize.Image, "fromarray", lambda array, mode=None: FROMARRAY(array))  # `mode` is deprecated
    theirs = np.stack([resizer(image.permute(1, 2, 0).numpy()) for image in images(shape)]).transpose(0, 3, 1, 2)
    assert np.array_equal(find_preprocessing("clean").resize(images(shape), 299).numpy(), theirs)


@pytest.mark.parity
@pytest.mark.parametrize("shape", SHAPES)
def test_pytorch_fid_gets_the_same_input(shape):
    inception = pytest.importorskip("pytorch_fid.inception")
    network = inception.InceptionV3.__new__(inception.InceptionV3)
    torch.nn.Module.__init__(network)
    network.resize_input = network.normalize_input = True
    network.output_blocks, network.last_needed_block = [0], 0
    network.blocks = torch.nn.ModuleList([torch.nn.Identity()])
    theirs = network(images(shape) / 255)[0]
    ours = find_preprocessing("pytorch-fid")
    assert torch.equal(ours.centred(ours.resize(images(shape), 299)), theirs)


@pytest.mark.parity
def test_antialias_gives_what_torchmetrics_gives_its_network(monkeypatch):
    fid = pytest.importorskip("torchmetrics.image.fid")
    seen = []
    network = fid.NoTrainInceptionV3.__new__(fid.NoTrainInceptionV3)
    torch.nn.Module.__init__(network)
    network.use_antialias, network.features_list = True, ["64"]
    for layer in ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "MaxPool_1"):
        setattr(network, layer, torch.nn.Identity())
    network.Conv2d_1a_3x3.register_forward_hook(lambda module, given, found: seen.append(given[0]))
    network._torch_fidelity_forward(images((64, 80)).to(torch.uint8))
    ours = find_preprocessing("antialias")
    assert torch.equal(ours.centred(ours.resize(images((64, 80)), 299)), seen[0])


def test_a_name_that_nothing_has_is_told_before_that_the_extractor_has_its_own():
    pixels = open_extractor("pixels", ExtractorOptions())
    with pytest.raises(UsageError, match="unknown preprocessing 'bicubc', did you mean 'bicubic'"):
        check_used([pixels], None, "bicubc")
    with pytest.raises(UsageError, match="the extractor pixels has its own"):
        check_used([pixels], None, "tf1")
