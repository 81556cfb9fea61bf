"""Image-to-image models: fed with images, and held to what is wanted."""

from __future__ import annotations

import math
import warnings
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from translators import Double, Half, exported

import gandiag
from gandiag import GeneratorOptions, ImageSpec, InputError, Latent, UsageError
from gandiag.sources import GENERATORS

COUNT = 12
UNIT = GeneratorOptions(input_range=(0, 1), image_range=(0, 1))
NAMED = GeneratorOptions(network="translators:Double", input_range=(0, 1), image_range=(0, 1))


def low_pixels(channels=3):
    return np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, channels)).astype(np.uint8)


def doubled(images):
    return images.repeat(2, axis=1).repeat(2, axis=2)


def high_pixels(channels=3):
    """What `Double` gives, four grey levels off for images of odd index and two for the others."""
    made = doubled(low_pixels(channels)).astype(int)
    off = np.where(np.arange(COUNT) % 2, 4, 2)[:, None, None, None]
    return np.where(made < 128, made + off, made - off).astype(np.uint8)


TRUTH = 10 * (math.log10(255 / 4) + math.log10(255 / 2))  # mean of two values of 20 log10


def save(folder, images, name="{:03d}.png"):
    folder.mkdir(parents=True)
    for number, image in enumerate(images):
        Image.fromarray(image[..., 0] if image.shape[2] == 1 else image).save(folder / name.format(number))
    return folder


@pytest.fixture
def low(tmp_path):
    return save(tmp_path / "low", low_pixels())


@pytest.fixture
def high(tmp_path):
    return save(tmp_path / "high", high_pixels())


def state_dict(folder):
    torch.save(Double().state_dict(), folder / "double.pth")
    return folder / "double.pth", NAMED


def torchscript(folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(Double().eval(), torch.rand(1, 3, 8, 8)).save(folder / "double.ts")
    return folder / "double.ts", UNIT


def program(folder):
    torch.export.save(exported(Double(), (3, 8, 8)), folder / "double.pt2")
    return folder / "double.pt2", UNIT


def onnx(folder):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Double().eval(),
            (torch.rand(2, 3, 8, 8),),
            folder / "double.onnx",
            dynamo=False,
            input_names=["image"],
            dynamic_axes={"image": {0: "n"}},
        )
    return folder / "double.onnx", UNIT


def checkpoint(folder):
    path = folder / "double.ckpt.pt"
    image = ImageSpec((3, 16, 16), (0, 1))
    gandiag.save_checkpoint(
        path, Double(), builder="double", config={}, image=image, input=ImageSpec((3, 8, 8), (0, 1))
    )
    return path, None


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    load = GENERATORS.load
    monkeypatch.setattr(GENERATORS, "load", lambda name: Double if name == "double" else load(name))


@pytest.mark.parametrize("door", [state_dict, torchscript, program, onnx, checkpoint])
def test_every_door_gives_the_same_pairs(door, tmp_path, low, high):
    path, options = door(tmp_path)
    result = gandiag.score(path, ["psnr", "ssim"], inputs=low, targets=high, generator=options)
    assert result["psnr"].value == pytest.approx(TRUTH, rel=1e-9)
    assert result["psnr"].n_fake == COUNT
    assert [each["index"] % 2 for each in result["psnr"].details["worst"]] == [1] * 5
    assert result.protocol["inputs"]["name"] == str(low)
    assert result.protocol["targets"]["sha256"]
    assert result.source["generator"]["inputs"]["range"] == [0, 1]


def test_a_network_in_memory_arrays_and_other_ranges(low, high):
    """A model on [-1, 1] that gives [0, 255]."""
    module = nn.Sequential(Double(), nn.Hardtanh(-1, 1))
    arrays = {"inputs": low_pixels(), "targets": high_pixels()}
    options = GeneratorOptions(input_range=(-1, 1))
    found = gandiag.score(
        lambda images: (module(images) + 1) * 127.5,
        "psnr",
        image=ImageSpec((3, 16, 16), (0, 255)),
        generator=options,
        **arrays,
    )
    assert found["psnr"].value == pytest.approx(TRUTH, rel=1e-9)


def test_an_archive_in_any_order_is_the_same(tmp_path, low, high):
    with zipfile.ZipFile(tmp_path / "high.zip", "w") as archive:
        for file in sorted(high.iterdir(), reverse=True):
            archive.write(file, f"wanted/{file.name}")
    path, options = torchscript(tmp_path)
    found = gandiag.score(path, "psnr", inputs=low, targets=tmp_path / "high.zip", generator=options)
    assert found["psnr"].value == pytest.approx(TRUTH, rel=1e-9)
    assert not [each for each in found.warnings if "paired by their order" in each]


def test_outputs_that_were_saved_are_held_to_targets_too(tmp_path, high):
    made = save(tmp_path / "made", doubled(low_pixels()))
    found = gandiag.score(made, "psnr,ssim", targets=high)
    assert found["psnr"].value == pytest.approx(TRUTH, rel=1e-9)


def test_without_a_metric_pairs_and_distributions_are_scored(tmp_path, low, high):
    path, options = torchscript(tmp_path)
    found = gandiag.score(path, inputs=low, targets=high, extractor="pixels", generator=options)
    assert {"psnr", "ssim", "fid"} <= set(found.scores)
    assert "cycle_error" not in found.scores
    assert found["fid"].n_real == COUNT
    assert found.reference["name"] == str(high)
    against = gandiag.score(path, "fid", inputs=low, against=high, extractor="pixels", generator=options)
    assert against["fid"].value == pytest.approx(found["fid"].value, rel=1e-6)


def test_the_cycle_by_hand(tmp_path, low):
    """There and back changes nothing; a way back that is 5 grey levels brighter is that much off, but for clipping."""
    path, options = torchscript(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, shift in (("half", 0.0), ("brighter", 5 / 255)):
            torch.jit.trace(Half(shift=shift).eval(), torch.rand(1, 3, 16, 16)).save(tmp_path / f"{name}.ts")

    def back(name):
        return gandiag.score(path, "cycle_error", inputs=low, cycle=tmp_path / name, generator=options)["cycle_error"]

    assert back("half.ts").value == pytest.approx(0, abs=1e-9)
    pixels = low_pixels().astype(float)
    assert back("brighter.ts").value == pytest.approx((np.minimum(pixels + 5, 255) - pixels).mean() / 255, rel=1e-9)


def test_the_gain_over_bicubic_is_in_the_details(tmp_path, low, high):
    path, options = torchscript(tmp_path)
    details = gandiag.score(path, "psnr", inputs=low, targets=high, generator=options)["psnr"].details
    pillow = [np.array(Image.fromarray(image).resize((16, 16), Image.Resampling.BICUBIC)) for image in low_pixels()]
    errors = ((np.stack(pillow).astype(float) - high_pixels()) ** 2).mean(axis=(1, 2, 3))
    assert details["bicubic"] == pytest.approx((10 * np.log10(255**2 / errors)).mean(), rel=1e-3)
    assert details["over_bicubic"] == pytest.approx(TRUTH - details["bicubic"], rel=1e-9)


def test_neither_the_batch_size_nor_a_part_changes_a_pair(tmp_path, low, high):
    path, options = torchscript(tmp_path)
    whole, parts = (
        gandiag.score(path, "psnr", inputs=low, targets=high, generator=options, batch_size=size)["psnr"]
        for size in (512, 5)
    )
    assert whole.value == pytest.approx(parts.value, rel=1e-12)
    few = gandiag.score(path, "psnr", inputs=low, targets=high, generator=options, samples=4)["psnr"]
    assert few.n_fake == 4
    assert few.value == pytest.approx(TRUTH, rel=1e-9)
    assert gandiag.score(path, "psnr", inputs=low, targets=high, generator=options, samples=1)["psnr"].stderr is None


def test_large_images_are_made_a_few_at_a_time(monkeypatch, tmp_path, low, high):
    from gandiag.sources import inputs

    seen = []

    def model(images):
        seen.append(len(images))
        return Double()(images)

    monkeypatch.setattr(inputs, "PIXELS", 3 * 16 * 16)
    found = gandiag.score(model, "psnr", inputs=low, targets=high, image=ImageSpec((3, 16, 16), (0, 1)), generator=UNIT)
    assert max(seen) == 3
    assert found["psnr"].value == pytest.approx(TRUTH, rel=1e-9)


def test_other_inputs_or_targets_have_another_fingerprint(tmp_path, low, high):
    path, options = torchscript(tmp_path)
    changed = low_pixels()
    changed[0, 0, 0, 0] ^= 1
    others = save(tmp_path / "others", changed)
    wanted = save(tmp_path / "wanted", doubled(changed))

    def prints(inputs, targets):
        found = gandiag.score(
            path, "psnr,fid", inputs=inputs, targets=targets, against=high, extractor="pixels", generator=options
        )
        return found["psnr"].fingerprint, found["fid"].fingerprint

    base = prints(low, high)
    assert prints(low, high) == base
    assert prints(others, high)[0] != base[0]
    assert prints(others, high)[1] != base[1]
    assert prints(low, wanted)[0] != base[0]
    assert prints(low, wanted)[1] == base[1]  # FID does not look at the targets


def test_grey_inputs_of_a_colour_model_are_repeated_and_it_is_said(tmp_path, high):
    grey = save(tmp_path / "grey", low_pixels(1))
    for door in (torchscript, program, checkpoint):
        path, options = door(tmp_path)
        result = gandiag.score(path, "psnr", inputs=grey, targets=high, generator=options)
        assert any("grey" in each and "RGB" in each for each in result.warnings), door
    torch.export.save(exported(Double(1), (1, 8, 8)), tmp_path / "grey.pt2")
    colour = save(tmp_path / "colour", low_pixels())
    with pytest.raises(InputError, match=r"3, 8, 8"):
        gandiag.score(tmp_path / "grey.pt2", "psnr", inputs=colour, targets=high, generator=UNIT)


def test_names_pair_and_what_has_no_partner_is_named(tmp_path, low, high):
    path, options = torchscript(tmp_path)

    def pair(targets):
        return gandiag.score(path, "psnr", inputs=low, targets=targets, generator=options)

    (high / "003.png").rename(high / "xyz.png")
    with pytest.raises(InputError, match="no target for '003'"):
        pair(high)
    (high / "xyz.png").unlink()
    with pytest.raises(InputError, match=r"12 images.*11 images.*'003'"):
        pair(high)
    renamed = save(tmp_path / "renamed", high_pixels(), "{:03d}x2.png")
    found = pair(renamed)
    assert found["psnr"].value == pytest.approx(TRUTH, rel=1e-9)
    assert any("paired by their order" in each and "'000x2'" in each for each in found.warnings)


def test_what_does_not_fit_is_said(tmp_path, low, high):
    path, options = torchscript(tmp_path)

    def refused(error, match, source=path, metrics="psnr", **given):
        with pytest.raises(error, match=match):
            gandiag.score(source, metrics, **{"inputs": low, "targets": high, "generator": options, **given})

    refused(UsageError, "--input-range", generator=GeneratorOptions())
    refused(UsageError, "--latent", generator=GeneratorOptions(input_range=(0, 1), latent=(4,)))
    refused(InputError, r"\(3, 16, 16\).*\(3, 8, 8\)", targets=low)
    refused(UsageError, "set of images", source=high)
    refused(UsageError, "a dataset", source="mnist")
    refused(InputError, "no file", inputs=tmp_path / "nowhere")
    refused(InputError, "points", inputs=torch.rand(4, 3))
    refused(UsageError, "--targets", targets=None)
    refused(UsageError, "--cycle", metrics="cycle_error")
    refused(UsageError, "--inputs", metrics="cycle_error", inputs=None, targets=None, cycle=path)
    refused(UsageError, "is none", metrics="cycle_error", cycle=high)
    refused(InputError, r"32, 32.*8, 8", metrics="cycle_error", cycle=path)
    (low / "005.png").write_bytes(b"no image")
    refused(InputError, "005.png")


def test_noise_models_are_told_from_image_models(tmp_path, low, high, save_ring):
    path, _ = checkpoint(tmp_path)
    with pytest.raises(UsageError, match=r"takes images.*--inputs"):
        gandiag.score(path, "fid", against=high)
    with pytest.raises(UsageError, match=r"takes noise.*--inputs"):
        gandiag.score(save_ring(), "psnr", inputs=low, targets=high)
    small = save(tmp_path / "small", low_pixels()[:, :4, :4])
    with pytest.raises(InputError, match=r"\(3, 8, 8\).*\(3, 4, 4\)"):
        gandiag.score(path, "psnr", inputs=small, targets=high)
    with pytest.raises(UsageError, match="--input-range"):
        gandiag.score(path, "psnr", inputs=low, targets=high, generator=UNIT)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        noise = nn.Sequential(nn.Linear(7, 3 * 64), nn.Tanh(), nn.Unflatten(1, (3, 8, 8)))
        torch.jit.trace(noise, torch.rand(2, 7)).save(tmp_path / "noise.ts")
    with pytest.raises(InputError, match="generator of noise"):
        gandiag.score(tmp_path / "noise.ts", "psnr", inputs=low, targets=low, generator=UNIT)
    with pytest.raises(UsageError, match="latent=Latent"):
        gandiag.score(noise, "fid", against=low, image=ImageSpec((3, 8, 8)))
    with pytest.raises(UsageError, match="input_range"):
        gandiag.score(noise, "psnr", inputs=low, targets=low, latent=Latent(7), image=ImageSpec((3, 8, 8)))


def test_numbers_that_sort_differently_are_not_paired_by_their_order(tmp_path):
    images = np.repeat(np.arange(12, dtype=np.uint8) * 20, 8 * 8 * 3).reshape(12, 8, 8, 3)
    made, high = save(tmp_path / "made", images, "{}x4.png"), save(tmp_path / "high", images, "{}.png")
    with pytest.raises(InputError, match="sort differently: '10x4' would be paired with '1'"):
        gandiag.score(made, "psnr", targets=high)
    padded = [save(tmp_path / name, images, form) for name, form in (("a", "{:02d}x4.png"), ("b", "{:02d}.png"))]
    found = gandiag.score(padded[0], "psnr", targets=padded[1])
    assert found["psnr"].details["identical"] == 12
