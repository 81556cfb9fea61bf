"""gandiag's checkpoint file (`gandiag.checkpoint/1`): plain values and tensors, loaded without running any code."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.core.errors import InputError, shown
from gandiag.core.files import atomic_write, file_sha256
from gandiag.core.protocols import Conditioning, ImageSpec, Latent
from gandiag.statistics.torch_archive import check_saved

FORMAT = "gandiag.checkpoint/1"
ZIP = b"PK\x03\x04"  # how files of torch.save begin
PICKLE = b"\x80"  # how those of old versions do
PLAIN = (str, int, float, bool, type(None))

StateDict = Mapping[str, Tensor]


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file says.

    Attributes:
        builder: registered name of the generator's factory.
        config: keyword arguments of the factory.
        generator: the generator's state dict.
        latent: the noise that the generator takes; None for one that takes images.
        image: what it gives.
        generator_ema: averaged weights, which scoring prefers.
        discriminator, discriminator_builder, discriminator_config: the other player, if it was kept.
        conditioning: labels that the generator takes, if any.
        input: the images that the generator takes in place of noise; None for one that takes noise.
        dataset: name of the data that it imitates.
        step: generator steps trained.
        recipe: name of the recipe that trained it.
        metadata: seed, versions, command.
        path, sha256: the file that it was read from.
    """

    builder: str
    config: Mapping[str, Any]
    generator: StateDict
    latent: Latent | None
    image: ImageSpec
    generator_ema: StateDict | None = None
    discriminator: StateDict | None = None
    discriminator_builder: str | None = None
    discriminator_config: Mapping[str, Any] | None = None
    conditioning: Conditioning | None = None
    input: ImageSpec | None = None
    dataset: str | None = None
    step: int = 0
    recipe: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    path: str | None = None
    sha256: str | None = None


def save_checkpoint(
    path: str | os.PathLike[str],
    generator: nn.Module | StateDict,
    *,
    builder: str,
    config: Mapping[str, Any],
    latent: Latent | None = None,
    image: ImageSpec,
    input: ImageSpec | None = None,
    generator_ema: nn.Module | StateDict | None = None,
    discriminator: nn.Module | StateDict | None = None,
    discriminator_builder: str | None = None,
    discriminator_config: Mapping[str, Any] | None = None,
    conditioning: Conditioning | None = None,
    dataset: str | None = None,
    step: int = 0,
    recipe: str | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> None:
    """Write a checkpoint, whole or not at all; see `Checkpoint` for what the arguments mean.

    A generator takes either noise, as `latent` says, or images, as `input` does.

    Raises:
        InputError: the file cannot be written, or a value is neither plain nor a tensor.
    """
    document: dict[str, Any] = {
        "format": FORMAT,
        "builder": builder,
        "config": dict(config),
        "generator": _state(generator),
        "image": _image(image),
        "dataset": dataset,
        "step": step,
        "recipe": recipe,
        "metadata": dict(metadata or {}),
    }
    if latent is not None:
        document["latent"] = _latent(latent)
    if input is not None:
        document["input"] = _image(input)
    if generator_ema is not None:
        document["generator_ema"] = _state(generator_ema)
    if discriminator is not None:
        if discriminator_builder is None:
            raise InputError("a discriminator needs discriminator_builder, the name of its factory")
        document["discriminator"] = _state(discriminator)
        document["discriminator_builder"] = discriminator_builder
        document["discriminator_config"] = dict(discriminator_config or {})
    if conditioning is not None:
        document["conditioning"] = {"num_classes": conditioning.num_classes}
    _check_plain(document, "checkpoint")
    _parse(document, None, None)
    content = io.BytesIO()  # as PyTorch, when it writes a file itself, hides what the system says of a full disk
    torch.save(document, content)
    with atomic_write(path) as temporary:
        temporary.write_bytes(content.getbuffer())


def load_checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint; no code in the file can run, since only plain values and tensors are accepted.

    Raises:
        InputError: there is no such file, it is damaged, holds code, or is no gandiag checkpoint; the message says
            which.
    """
    file = Path(path)
    name = shown(file)
    try:
        if file.is_dir():
            raise InputError(f"{name} is a folder, not a checkpoint; give the checkpoint file in it")
        if file.stat().st_size == 0:
            raise InputError(f"{name} is empty; the run that should have written it did not finish")
        document = _load_plain(file, name)
        digest = file_sha256(file)  # last: a damaged file may be long
    except FileNotFoundError as error:
        raise InputError(f"there is no file {name}; check the path") from error
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {name}: {error}") from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        keys = ", ".join(sorted(map(str, document))[:6]) if isinstance(document, dict) else type(document).__name__
        message = f"{name} is not a gandiag checkpoint: no format {FORMAT!r} in it (found: {keys})"
        raise InputError(f"{message}; write one with gandiag.save_checkpoint")
    try:
        return _parse(document, str(file), digest)
    except InputError as error:
        raise InputError(f"{name} is not a valid checkpoint: {error}") from error


def _load_plain(file: Path, name: str) -> object:
    import pickle

    with file.open("rb") as opened:
        start = opened.read(len(ZIP))
    if start != ZIP and not start.startswith(PICKLE):
        message = f"{name} is no file of PyTorch's torch.save"
        raise InputError(f"{message}; give a checkpoint, a folder of images, or an .npy or .npz file")

    check_saved(file)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about old formats, which are refused or read all the same
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except pickle.UnpicklingError as error:
            if "Unsupported" in str(error) or "GLOBAL" in str(error) or "allowlist" in str(error):
                message = f"{name} is refused: it holds pickled code or objects beside tensors and plain values"
                raise InputError(
                    f"{message}; export the state dict and write it with gandiag.save_checkpoint"
                ) from error
            raise InputError(f"{name} is no checkpoint of PyTorch, or a damaged one; copy it again") from error
        except Exception as error:  # a damaged file may fail in any way
            if "TorchScript" in str(error):
                raise InputError(f"{name} is TorchScript, which cannot be scored as a checkpoint yet") from error
            raise InputError(f"{name} is damaged or cut short ({type(error).__name__}); copy it again") from error


def _latent(latent: Latent) -> dict[str, Any]:
    plain: dict[str, Any] = {"dim": latent.dim, "distribution": latent.distribution}
    return plain if latent.shape == (latent.dim,) else {**plain, "shape": list(latent.shape)}


def _image(image: ImageSpec) -> dict[str, Any]:
    return {"shape": list(image.shape), "range": None if image.range is None else list(image.range)}


def _parse(document: Mapping[str, Any], path: str | None, digest: str | None) -> Checkpoint:
    taken = _field(document, "input", dict, optional=True)
    if taken is not None and document.get("latent") is not None:
        raise InputError("latent and input are both there: a generator takes noise or images, not both")
    latent = _field(document, "latent", dict, optional=taken is not None)  # one of them is there
    made = _field(document, "image", dict)
    image = ImageSpec(made.get("shape", ()), made.get("range"))
    conditioning = _field(document, "conditioning", dict, optional=True)
    if made.get("range") is None and len(image.shape) == 3:
        raise InputError("image.range is missing: give the values of black and white, such as [-1, 1]")
    return Checkpoint(
        builder=_field(document, "builder", str),
        config=_field(document, "config", dict),
        generator=_tensors(document, "generator"),
        latent=None
        if latent is None
        else Latent(latent.get("dim", 0), _field(latent, "distribution", str), latent.get("shape") or ()),
        image=image,
        generator_ema=_tensors(document, "generator_ema") if document.get("generator_ema") is not None else None,
        discriminator=_tensors(document, "discriminator") if document.get("discriminator") is not None else None,
        discriminator_builder=_field(document, "discriminator_builder", str, optional=True),
        discriminator_config=_field(document, "discriminator_config", dict, optional=True),
        conditioning=None if conditioning is None else Conditioning(conditioning.get("num_classes", 0)),
        input=None if taken is None else ImageSpec(taken.get("shape", ()), taken.get("range")),
        dataset=_field(document, "dataset", str, optional=True),
        step=_field(document, "step", int, optional=True) or 0,
        recipe=_field(document, "recipe", str, optional=True),
        metadata=_field(document, "metadata", dict, optional=True) or {},
        path=path,
        sha256=digest,
    )


def _field(document: Mapping[str, Any], key: str, kind: type, *, optional: bool = False) -> Any:
    value = document.get(key)
    if value is None and optional:
        return None
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise InputError(f"{key} is {type(value).__name__}, expected {kind.__name__}")
    return value


def _tensors(document: Mapping[str, Any], key: str) -> dict[str, Tensor]:
    state: dict[str, Any] = _field(document, key, dict)
    for name, value in state.items():
        if not isinstance(name, str) or not isinstance(value, Tensor):
            raise InputError(f"{key}[{shown(name)}] is {type(value).__name__}, expected a tensor")
        if value.layout is not torch.strided or value.is_quantized:
            raise InputError(f"{key}[{shown(name)}] is sparse or quantised, expected a dense tensor")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise InputError(f"{key}[{shown(name)}] is larger than its data")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise InputError(f"{key}[{shown(name)}] holds NaN or infinite weights: the training had diverged")
    if not state:
        raise InputError(f"{key} holds no weights")
    return state


def _state(network: nn.Module | StateDict) -> dict[str, Tensor]:
    state = network.state_dict() if isinstance(network, nn.Module) else network
    for name, value in state.items():
        if not isinstance(value, Tensor):
            raise InputError(f"the state dict's {shown(name)} is {type(value).__name__}, expected a tensor")
    # A clone of its own size: a view would drag the whole storage behind it into the file.
    return {name: value.detach().to("cpu").contiguous().clone() for name, value in state.items()}


def _check_plain(value: object, where: str) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            if type(key) not in PLAIN:
                raise InputError(f"{where} has the key {shown(key)}; keys are plain text or numbers")
            _check_plain(item, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check_plain(item, f"{where}[{index}]")
    elif type(value) not in PLAIN and not isinstance(value, Tensor):
        # A subclass, such as a NumPy number, would be pickled as an object and then refused when it is read.
        raise InputError(f"{where} is {type(value).__name__}; a checkpoint holds plain values and tensors only")
