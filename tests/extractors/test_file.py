from __future__ import annotations

import json
import math
import warnings
import zipfile

import pytest
import torch
from torch import Tensor, nn

from gandiag.core.errors import InputError, UnknownNameError, UsageError
from gandiag.core.files import file_sha256
from gandiag.core.protocols import ExtractorOptions
from gandiag.extractors import open_extractor
from gandiag.statistics.exported import _check_expression

OPTIONS = ExtractorOptions()


class Plain(nn.Module):
    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.register_buffer("weight", torch.randn(5, 3, 3, 3, generator=generator))

    def forward(self, images: Tensor) -> Tensor:
        return torch.conv2d(images, self.weight).amax(dim=[2, 3])


class Pair(Plain):
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        found = torch.conv2d(images, self.weight).amax(dim=[2, 3])
        return found, found[:, :2]


class Named(Plain):
    def forward(self, images: Tensor) -> dict[str, Tensor]:
        found = torch.conv2d(images, self.weight)
        return {"features": found.amax(dim=[2, 3]), "spatial": found[:, 0].flatten(1)}


class Unpooled(Plain):
    def forward(self, images: Tensor) -> Tensor:
        return torch.conv2d(images, self.weight)


def scripted(module, path, extra=None):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*torch\.jit\.")
        files = {} if extra is None else {"gandiag.json": json.dumps(extra)}
        torch.jit.save(torch.jit.script(module.eval()), str(path), _extra_files=files)
    return str(path)


def exported(module, path, extra=None):
    shapes = ({0: torch.export.Dim("n")},)
    program = torch.export.export(module.eval(), (torch.rand(2, 3, 40, 32),), dynamic_shapes=shapes)
    files = {} if extra is None else {"gandiag.json": json.dumps(extra)}
    torch.export.save(program, path, extra_files=files)
    return str(path)


SAVERS = [pytest.param(scripted, ".pt", id="torchscript"), pytest.param(exported, ".pt2", id="exported")]


@pytest.mark.parametrize(("save", "suffix"), SAVERS)
def test_a_module_gives_its_features_for_images_from_0_to_1(save, suffix, tmp_path, pictures):
    path = tmp_path / f"mine{suffix}"
    extractor = open_extractor(save(Plain(), path), OPTIONS)
    torch.testing.assert_close(extractor(pictures).features, Plain()(pictures.float() / 255))
    assert (extractor.info.name, extractor.info.sha256) == ("file:mine", file_sha256(path))
    torch.testing.assert_close(extractor(pictures[:1]).features, extractor(pictures).features[:1])


@pytest.mark.parametrize(("save", "suffix"), SAVERS)
@pytest.mark.parametrize(("module", "heads"), [(Plain, ""), (Pair, "logits"), (Named, "spatial")])
def test_its_heads_are_found_out(save, suffix, module, heads, tmp_path, pictures):
    extractor = open_extractor(save(module(), tmp_path / f"mine{suffix}", {"size": None}), OPTIONS)
    found = extractor(pictures)
    assert (found.logits is not None, found.spatial is not None) == (heads == "logits", heads == "spatial")
    if heads == "logits":
        assert found.logits.shape == (6, 1, 2)


@pytest.mark.parametrize(("save", "suffix"), SAVERS)
def test_metadata_sets_the_range_and_the_size(save, suffix, tmp_path, pictures):
    ranged = open_extractor(save(Plain(), tmp_path / f"ranged{suffix}", {"range": [-1, 1]}), OPTIONS)
    torch.testing.assert_close(ranged(pictures).features, Plain()(pictures.float() / 127.5 - 1))
    path = scripted(Plain(), tmp_path / "sized.pt", {"size": 16, "range": [0, 255]})
    sized = open_extractor(path, ExtractorOptions(preprocessing="antialias"))
    smaller = torch.nn.functional.interpolate(pictures.float(), (16, 16), mode="bilinear", antialias=True)
    torch.testing.assert_close(sized(pictures).features, Plain()(smaller))
    assert "antialias" in sized.info.preprocessing


def test_grey_images_reach_a_grey_module_and_are_repeated_on_demand(tmp_path, pictures):
    path = scripted(Plain(), tmp_path / "colour.pt", {"channels": 3})
    assert open_extractor(path, OPTIONS)(pictures[:, :1]).features.shape == (6, 5)
    path = scripted(Plain(), tmp_path / "strict.pt")
    with pytest.raises(InputError, match=r"file:strict fails on images \(1, 40, 32\)"):
        open_extractor(path, OPTIONS)(pictures[:, :1])


def test_what_does_not_apply_is_said(tmp_path, pictures):
    path = scripted(Plain(), tmp_path / "mine.pt")
    for options in (
        ExtractorOptions(weights=tmp_path / "w"),
        ExtractorOptions(compile=True),
        ExtractorOptions(preprocessing="clean"),
    ):
        with pytest.raises(UsageError, match=r"mine\.pt"):
            open_extractor(path, options)
    with pytest.raises(InputError, match="takes images"):
        open_extractor(path, OPTIONS)(torch.zeros(3, 2))
    with pytest.raises(InputError, match="flatten or pool"):
        open_extractor(scripted(Unpooled(), tmp_path / "unpooled.pt"), OPTIONS)(pictures)
    for said in ({"range": 3}, {"range": [0, 10**400]}, {"range": [0, math.inf]}):
        with pytest.raises(InputError, match=r"gandiag\.json"):
            open_extractor(scripted(Plain(), tmp_path / "said.pt", said), OPTIONS)
    with pytest.raises(UnknownNameError, match="did you mean 'pixels'"):
        open_extractor("pixel", OPTIONS)


@pytest.mark.parametrize("suffix", [".pt", ".pt2"])
@pytest.mark.parametrize("damage", ["missing", "empty", "noise", "state dict", "folder"])
def test_a_file_that_is_no_module_is_an_input_error(suffix, damage, tmp_path):
    path = tmp_path / f"mine{suffix}"
    match damage:
        case "empty":
            path.write_bytes(b"")
        case "noise":
            path.write_bytes(bytes(range(256)) * 10)
        case "state dict":
            torch.save({"a": torch.ones(2)}, path)
        case "folder":
            path.mkdir()
    with pytest.raises(InputError, match=r"mine\.pt"):
        open_extractor(str(path), OPTIONS)


def rewritten(path, change):
    """The exported program with one part changed: `change` takes a name and its bytes and gives new ones."""
    other = path.with_name(f"other{path.suffix}")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
    return str(other)


class Stranger:
    def __reduce__(self):
        return print, ("this ran",)


def test_nothing_pickled_in_an_exported_program_is_loaded(tmp_path, capsys, pictures):
    path = tmp_path / "mine.pt2"
    exported(Plain(), path)
    torch.save(Stranger(), tmp_path / "pickled")
    pickled = (tmp_path / "pickled").read_bytes()
    capsys.readouterr()

    def samples(name, content):
        return pickled if "sample_inputs" in name else content

    found = open_extractor(rewritten(path, samples), OPTIONS)(pictures)
    assert torch.equal(found.features, open_extractor(str(path), OPTIONS)(pictures).features)

    def weights(name, content):
        if name.endswith("data/weights/weight_0"):
            return pickled
        return content.replace(b'"use_pickle": false', b'"use_pickle": true')

    with pytest.raises(InputError, match="pickled"):
        open_extractor(rewritten(path, weights), OPTIONS)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("old", "new", "named"),
    [
        ("torch.ops.aten.conv2d.default", "torch.os.system", "operation"),
        ("torch.ops.aten.conv2d.default", "torch.ops.aten.from_file.default", "operation"),
        ("Symbol('s", "print('s", "expression"),
    ],
)
def test_other_than_plain_operations_are_refused(tmp_path, old, new, named):
    path = tmp_path / "mine.pt2"
    exported(Plain(), path)

    def change(name, content):
        return content.replace(old.encode(), new.encode()) if name.endswith("models/model.json") else content

    assert old in zipfile.ZipFile(path).read("mine/models/model.json").decode()
    with pytest.raises(InputError, match=named):
        open_extractor(rewritten(path, change), OPTIONS)


def test_guards_are_never_evaluated(tmp_path, pictures):
    path = tmp_path / "mine.pt2"
    exported(Plain(), path)

    def change(name, content):
        if not name.endswith("models/model.json"):
            return content
        return json.dumps({**json.loads(content), "guards_code": ["print('this ran')", "1/0"]}).encode()

    assert open_extractor(rewritten(path, change), OPTIONS)(pictures).features.shape == (6, 5)


@pytest.mark.parametrize(
    "text", ["__import__('os')", "s1.x", "[].append(1)", "(lambda: 1)()", "open('f')", "s1 if 1 else 2"]
)
def test_expressions_that_are_not_arithmetic_are_refused(text):
    with pytest.raises(ValueError, match="expression"):
        _check_expression(text)


@pytest.mark.parametrize(
    "text", ["s1", "2*s1 + 1", "Symbol('s77', positive=True)", "Mul(Integer(2), Symbol('u0'))", "-s1//2"]
)
def test_arithmetic_on_sizes_is_taken(text):
    _check_expression(text)
