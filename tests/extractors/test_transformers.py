from __future__ import annotations

import warnings
from dataclasses import replace

import pytest
import torch
from random_weights import clip_state, dinov2_state
from torch import nn
from torch.nn import functional

from gandiag.core.errors import InputError, MissingDataError
from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors import EXTRACTORS, _clip, _dinov2, open_extractor
from gandiag.extractors._normalised import CLIP, IMAGENET, network_input
from gandiag.extractors._preprocessing import find_preprocessing
from gandiag.extractors._transformer import load_transformer
from gandiag.extractors._transformer_network import TransformerShape
from gandiag.testing import check_extractor

NAMES = [name for name in EXTRACTORS.names() if name.startswith(("clip-", "dinov2-"))]
SMALL_CLIP = TransformerShape(128, 2, 8, 4, 512, "quick-gelu", 1e-5, 96)
SMALL_DINOV2 = TransformerShape(128, 2, 14, 16, 512, "gelu", 1e-6)
SMALL_GATED = TransformerShape(192, 2, 14, 16, 512, "swiglu", 1e-6)


def saved(state, path):
    torch.save(state, path)
    return path


def small_clip(options):
    return load_transformer("clip-vit-b-32", SMALL_CLIP, _clip.renamed, CLIP, options)


def small_dinov2(options, shape=SMALL_DINOV2):
    return load_transformer("dinov2-vit-s-14", shape, _dinov2.renamed, IMAGENET, options)


@pytest.fixture(scope="module")
def clip_file(tmp_path_factory):
    state = clip_state(width=128, depth=2, patch=8, grid=4, projection=96)
    return saved(state, tmp_path_factory.mktemp("clip") / "clip.pt")


@pytest.fixture(scope="module")
def dinov2_file(tmp_path_factory):
    return saved(dinov2_state(width=128, depth=2), tmp_path_factory.mktemp("dinov2") / "dinov2.pth")


def relative(found, expected):
    return float((found - expected).abs().max() / expected.abs().max())


def reference_dinov2(state, images, heads, *, gated):
    """DINOv2 written once more, from its paper and with nothing folded."""
    width = state["cls_token"].shape[-1]
    tokens = functional.conv2d(images, state["patch_embed.proj.weight"], state["patch_embed.proj.bias"], 14)
    tokens = torch.cat([state["cls_token"].expand(len(images), 1, width), tokens.flatten(2).transpose(1, 2)], dim=1)
    grid = state["pos_embed"][:, 1:].reshape(1, 37, 37, width).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, scale_factor=(16.1 / 37, 16.1 / 37), mode="bicubic")
    tokens = tokens + torch.cat([state["pos_embed"][:, :1], grid.permute(0, 2, 3, 1).reshape(1, 256, width)], dim=1)

    def norm(name, values):
        return functional.layer_norm(values, (width,), state[f"{name}.weight"], state[f"{name}.bias"], 1e-6)

    def affine(name, values):
        return functional.linear(values, state[f"{name}.weight"], state[f"{name}.bias"])

    for i in range(2):
        block = f"blocks.{i}"
        attention = nn.MultiheadAttention(width, heads, batch_first=True).eval()
        names = {"in_proj_": f"{block}.attn.qkv.", "out_proj.": f"{block}.attn.proj."}
        parts = {
            f"{own}{part}": state[f"{theirs}{part}"] for own, theirs in names.items() for part in ("weight", "bias")
        }
        attention.load_state_dict(parts)
        values = norm(f"{block}.norm1", tokens)
        tokens = tokens + attention(values, values, values, need_weights=False)[0] * state[f"{block}.ls1.gamma"]
        values = norm(f"{block}.norm2", tokens)
        if gated:
            gate, value = affine(f"{block}.mlp.w12", values).chunk(2, dim=-1)
            values = affine(f"{block}.mlp.w3", functional.silu(gate) * value)
        else:
            values = affine(f"{block}.mlp.fc2", functional.gelu(affine(f"{block}.mlp.fc1", values)))
        tokens = tokens + values * state[f"{block}.ls2.gamma"]
    return norm("norm", tokens)[:, 0]


@pytest.mark.parametrize("kind", ["clip", "dinov2"])
def test_they_follow_the_rules_of_extractors(kind, clip_file, dinov2_file, pictures):
    load, path = (small_clip, clip_file) if kind == "clip" else (small_dinov2, dinov2_file)
    check_extractor(lambda options: load(replace(options, weights=options.weights or path)), pictures[:4])


@pytest.mark.parametrize("shape", [SMALL_DINOV2, SMALL_GATED], ids=["plain", "gated"])
def test_dinov2_is_what_its_definition_says(shape, tmp_path, pictures):
    state = dinov2_state(width=shape.width, depth=2, gated=shape.gate == "swiglu")
    extractor = small_dinov2(ExtractorOptions(weights=saved(state, tmp_path / "w.pth")), shape)
    images = network_input(pictures, 224, find_preprocessing("bicubic"), IMAGENET)
    with torch.no_grad():
        expected = reference_dinov2(state, images, shape.width // 64, gated=shape.gate == "swiglu")
    assert relative(extractor(pictures).features, expected) < 1e-5


@pytest.mark.parametrize("name", NAMES)
def test_without_weights_each_says_how_to_get_them(name, tmp_path, monkeypatch):
    monkeypatch.setenv("GANDIAG_WEIGHTS", str(tmp_path))
    with pytest.raises(MissingDataError, match=f"gandiag weights fetch {name}"):
        open_extractor(name, ExtractorOptions())


def test_there_are_four_of_each():
    assert len(NAMES) == 8


@pytest.mark.parametrize("name", ["clip-vit-b-32", "dinov2-vit-s-14"])
def test_weights_of_another_shape_are_an_input_error(name, clip_file, dinov2_file):
    for path in (clip_file, dinov2_file):
        with pytest.raises(InputError, match=f"do not fit the extractor {name}"):
            open_extractor(name, ExtractorOptions(weights=path))


def test_a_torchscript_archive_is_read_for_its_tensors(clip_file, tmp_path, pictures):
    """CLIP is published as one."""

    class Holder(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return images

    holder = Holder()
    for name, value in torch.load(clip_file, weights_only=True).items():
        *path, leaf = name.split(".")
        module = holder
        for part in path:
            if part not in dict(module.named_children()):
                module.add_module(part, Holder())
            module = module.get_submodule(part)
        module.register_buffer(leaf, value)
    path = tmp_path / "clip.pt"
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.")
        torch.jit.save(torch.jit.trace(holder, torch.zeros(1)), str(path))
    expected = small_clip(ExtractorOptions(weights=clip_file))(pictures).features
    assert torch.equal(small_clip(ExtractorOptions(weights=path))(pictures).features, expected)


def test_bfloat16_is_near(clip_file, pictures):
    found, expected = (small_clip(ExtractorOptions(weights=clip_file, precision=p))(pictures) for p in ("bf16", "fp32"))
    assert 1e-6 < relative(found.features, expected.features) < 0.05


@pytest.mark.parity
def test_clip_equals_torch_fidelity(clip_file, pictures):
    module = pytest.importorskip("torch_fidelity.feature_extractor_clip")
    state = torch.load(clip_file, weights_only=True)
    theirs = module.FeatureExtractorCLIP.__new__(module.FeatureExtractorCLIP)
    nn.Module.__init__(theirs)
    theirs.model = module.build_model(dict(state), torch.float32)
    theirs.features_list, theirs.resolution = ["clip"], theirs.model.visual.input_resolution
    theirs.feature_extractor_internal_dtype = torch.float32
    ours = small_clip(ExtractorOptions(weights=clip_file, preprocessing="tf1"))
    assert relative(ours(pictures).features, theirs(pictures)[0]) < 1e-5


@pytest.mark.slow
@pytest.mark.parity
@pytest.mark.parametrize("size", ["small", "giant"])
def test_dinov2_equals_timm(size, tmp_path, pictures):
    timm = pytest.importorskip("timm")
    width, gated = (384, False) if size == "small" else (1536, True)
    state = dinov2_state(width=width, depth=2, gated=gated)
    name = f"vit_{size}_patch14_dinov2"
    theirs = timm.create_model(name, pretrained=False, num_classes=0, depth=2, img_size=518).eval()
    adapt = timm.models.vision_transformer.checkpoint_filter_fn
    theirs.load_state_dict(adapt({name: value.clone() for name, value in state.items()}, theirs))
    shape = TransformerShape(width, 2, 14, 37, 4096 if gated else 4 * width, "swiglu" if gated else "gelu", 1e-6)
    # At the size of the training, where no positions are interpolated.
    ours = small_dinov2(ExtractorOptions(weights=saved(state, tmp_path / "w.pth")), shape)
    images = network_input(pictures[:2], 518, find_preprocessing("bicubic"), IMAGENET)
    with torch.no_grad():
        expected = theirs(images)
    assert relative(ours(pictures[:2]).features, expected) < 1e-5
