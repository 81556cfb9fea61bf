"""A file as an extractor: a TorchScript module or an exported program that maps images to features."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from gandiag.core.errors import GandiagError, InputError, UsageError, shown
from gandiag.core.files import file_sha256
from gandiag.core.protocols import Extracted, ExtractorInfo, ExtractorOptions, Precision
from gandiag.core.strict_json import parse_json
from gandiag.extractors._precision import arithmetic
from gandiag.extractors._preprocessing import Preprocessing, colour_images, find_preprocessing
from gandiag.statistics.exported import Exported, load_exported
from gandiag.statistics.foreign import Program
from gandiag.statistics.torchscript import is_torchscript, load_torchscript

EXPORTED = ".pt2"
SUFFIXES = (".pt", ".pth", ".ts", EXPORTED)
METADATA = "gandiag.json"  # the extra file that a module may carry
RAISED = re.compile(r"[\w.]+(Error|Exception): ")  # how an error's own text begins
HEADS = ("features", "logits", "spatial")
TRIALS = (32, 28, 64, 128, 224, 256, 299, 512)  # sizes of images with which to find out what a module gives

Module = Callable[[Tensor], Any]


@dataclass(frozen=True)
class Metadata:
    """What a file says of its module.

    Attributes:
        low, high: what black and white are to the module.
        size: that images are resized to; None where it takes them as they are.
        channels: of the images: 3 where grey ones are repeated, None where it takes them as they are.
    """

    low: float = 0.0
    high: float = 1.0
    size: int | None = None
    channels: int | None = None


@dataclass(frozen=True)
class FileExtractor:
    """What the module of a file gives for images float32 (n, C, H, W), from 0 to 1 unless the file says otherwise."""

    module: Module
    metadata: Metadata
    info: ExtractorInfo
    device: str
    precision: Precision
    preprocessing: Preprocessing | None

    def __call__(self, samples: Tensor) -> Extracted:
        if samples.ndim != 4:
            message = f"the extractor {self.info.name} takes images, not samples {tuple(samples.shape[1:])}"
            raise InputError(f"{message}; choose another with --extractor, such as pixels")
        metadata = self.metadata
        images = samples
        if metadata.channels == 3 or self.preprocessing is not None:
            images = colour_images(samples, self.info.name)
        images, white = images.to(self.device).float(), 255.0
        with arithmetic(self.device, self.precision):
            if self.preprocessing is not None and metadata.size is not None:
                images, white = self.preprocessing.resize(images, metadata.size), self.preprocessing.white
            images = images / white * (metadata.high - metadata.low) + metadata.low
            try:
                found = _heads(self.module(images))
            except InputError as error:
                raise InputError(f"the extractor {self.info.name}: {error}") from error
            except Exception as error:  # a stranger's module may fail in any way
                reason = _reason(error)
                message = f"the extractor {self.info.name} fails on images {tuple(images.shape[1:])}: {reason}"
                raise InputError(f"{message}; it must take float32 (n, C, H, W) of any n") from error
        found = _check(found, len(samples), self.info)
        logits = found.get("logits")
        return Extracted(
            features=found["features"].float(),
            logits=None if logits is None else logits.float().reshape(len(samples), -1, logits.shape[-1]),
            spatial=found["spatial"].float() if "spatial" in found else None,
        )


def file_extractor(path: Path, options: ExtractorOptions) -> FileExtractor:
    """The extractor in a TorchScript file (.pt, .pth, .ts) or in an exported program (.pt2).

    Its module takes images float32 (n, C, H, W) from 0 to 1 and gives features (n, d), a tuple of features and logits
    (n, classes), or a mapping with `features`, and maybe `logits` and `spatial`. It may carry an extra file
    `gandiag.json` that says otherwise: `range` [low, high], `size` that images are resized to by the preprocessing of
    the options (`bicubic` unless they name another), `channels` 3 where grey images are to be repeated. What it gives
    is found out on black images of usual sizes; of a module that takes none of them, only the features are used.

    A TorchScript file holds code of TorchScript's own operations, which runs; it never holds Python. An exported
    program is read only where nothing in it is pickled.

    Raises:
        InputError: the file cannot be read or is no such module.
        UsageError: the options do not apply to it.
    """
    name = f"file:{path.stem}"
    if options.weights is not None:
        raise UsageError(f"--weights does not apply to {shown(path)}: the file holds its weights; leave the option out")
    if options.compile:
        raise UsageError(f"--compile does not apply to {shown(path)}; leave the option out")
    try:
        path.open("rb").close()
        opened = load_exported(path, METADATA) if path.suffix == EXPORTED else _torchscript(path)
        digest = file_sha256(path)  # last: a damaged file may be long
    except OSError as error:
        raise InputError(f"cannot read the extractor {shown(path)}: {error.strerror or error}") from error
    module, text = opened.module, opened.extra
    metadata = _metadata(text, path)
    if options.preprocessing is not None and metadata.size is None:
        message = f"the extractor {shown(path)} takes images as they are, so no preprocessing applies"
        raise UsageError(f"{message}; leave it out, or write a size into its {METADATA}")
    preprocessing = find_preprocessing(options.preprocessing or "bicubic") if metadata.size is not None else None
    if isinstance(module, torch.nn.Module):
        module = module.to(options.device)
    program = Program(module, f"the extractor {shown(path)}")
    info = ExtractorInfo(
        name=name,
        sha256=digest,
        preprocessing=_described(metadata, preprocessing),
        heads=_found_heads(program, _trials(opened, metadata), metadata.low, options.device),
        batch_size=64 if options.device == "cpu" else 256,
    )
    return FileExtractor(program, metadata, info, options.device, options.precision, preprocessing)


def _torchscript(path: Path) -> Exported:
    if not is_torchscript(path):
        message = f"{shown(path)} is no TorchScript file"
        raise InputError(f"{message}; save the extractor with torch.jit.save, or with torch.export.save as .pt2")
    module, extra = load_torchscript(path, METADATA)
    return Exported(module, extra, ())


def _metadata(text: str, path: Path) -> Metadata:
    try:
        said = parse_json(text or "{}")
        low, high = said.get("range", (0.0, 1.0))
        size, channels = said.get("size"), said.get("channels")
        if not (size is None or (type(size) is int and 0 < size <= 4096)) or channels not in (None, 3):
            raise ValueError("size must be a whole number of pixels, and channels 3")
        if not float(low) < float(high):
            raise ValueError("range must be [low, high]")
        return Metadata(float(low), float(high), size, channels)
    except (ArithmeticError, AttributeError, TypeError, ValueError) as error:
        raise InputError(f"the {METADATA} in the extractor {shown(path)} cannot be used: {error}") from error


def _described(metadata: Metadata, preprocessing: Preprocessing | None) -> str:
    scale = f"{metadata.low:g} to {metadata.high:g}"
    return f"{scale}, as they are" if preprocessing is None else f"{preprocessing.name} to {metadata.size}, {scale}"


def _heads(found: object) -> dict[str, Tensor]:
    if isinstance(found, Tensor):
        return {"features": found}
    if isinstance(found, Mapping):
        named = {name: found[name] for name in HEADS if name in found}
    elif isinstance(found, list | tuple):
        named = dict(zip(HEADS[:2], found, strict=False))
    else:
        named = {}
    if "features" not in named or not all(isinstance(value, Tensor) for value in named.values()):
        message = f"its module gives {type(found).__name__}"
        raise InputError(f"{message}, expected features, (features, logits), or a mapping with features")
    return named


def _trials(opened: Exported, metadata: Metadata) -> list[tuple[int, ...]]:
    """Shapes of images that the module may take: its own where it has one, else usual ones."""
    if len(opened.shape) == 4:
        _, channels, height, width = opened.shape
        usual = metadata.size or TRIALS[0]
        return [(channels or 3, height or usual, width or usual)]
    sizes = TRIALS if metadata.size is None else (metadata.size,)
    return [(channels, size, size) for channels in (3, 1) for size in sizes]


def _found_heads(module: Module, trials: list[tuple[int, ...]], black: float, device: str) -> frozenset[str]:
    """What the module gives, found out by feeding it black images; features alone where it takes none of them."""
    for shape in trials:
        try:
            with torch.inference_mode():
                return frozenset(_heads(module(torch.full((2, *shape), black, device=device))))
        except GandiagError:
            raise
        except Exception:  # it takes other images
            continue
    return frozenset({"features"})


def _check(found: dict[str, Tensor], count: int, info: ExtractorInfo) -> dict[str, Tensor]:
    """What was declared of what was found; raises InputError where some is missing or has another shape."""
    if missing := info.heads - found.keys():
        message = f"the extractor {info.name} gives no {', '.join(sorted(missing))} for some images"
        raise InputError(f"{message}, and did for others; let it give the same for all")
    for head in info.heads:
        value = found[head]
        if value.ndim != 2 or len(value) != count:
            message = f"the extractor {info.name} gives {head} {tuple(value.shape)} for {count} images"
            raise InputError(f"{message}, expected ({count}, d); flatten or pool them in its module")
    return {head: found[head] for head in info.heads}


def _reason(error: Exception) -> str:
    """An error's kind and what it says: TorchScript puts the code that failed before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if RAISED.match(line)] or lines
    return f"{type(error).__name__}: {said[-1]}"[:200] if said else type(error).__name__
