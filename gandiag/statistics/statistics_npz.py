"""Statistics of other tools: `.npz` files of pytorch-fid, clean-fid, StyleGAN, EDM and ADM.

None of them says how many samples it is of, with which network, or who wrote it. What can be told is told from the
keys, the width and the file's name; the rest is said in a warning.
"""

from __future__ import annotations

import os
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError, UsageError, shown, suggestion
from gandiag.core.files import atomic_write, check_ratio, file_sha256
from gandiag.core.zip_file import open_zip
from gandiag.statistics.grouped_moments import GroupedMoments, grouped_moments
from gandiag.statistics.reference_statistics import ReferenceStatistics, moments_of_covariance

INCEPTION_WIDTH = 2048
PAIRS = (("mu", "sigma"), ("mu_s", "sigma_s"))


@dataclass(frozen=True)
class Convention:
    """How a tool computes what it writes.

    Attributes:
        tool: what it is called.
        preprocessing: name of the protocol by which it resizes.
        resize: the same in words.
        biased: whether it divides the covariance by N, and not by N - 1.
    """

    tool: str
    preprocessing: str
    resize: str
    biased: bool = False


DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    NotImplementedError,
    OSError,
    RecursionError,
    RuntimeError,
    SyntaxError,
    TypeError,
    tokenize.TokenError,
    zipfile.BadZipFile,
    zlib.error,
)
TF1 = "bilinear as in TensorFlow 1"
CONVENTIONS = {
    "pytorch-fid": Convention("pytorch-fid", "pytorch-fid", "bilinear without antialiasing"),
    "clean-fid": Convention("clean-fid", "clean", "bicubic with antialiasing"),
    "stylegan": Convention("StyleGAN2-ADA or StyleGAN3", "tf1", TF1, biased=True),
    "edm": Convention("EDM or EDM2", "tf1", TF1),
    "adm": Convention("ADM (guided-diffusion)", "tf1", TF1),
}
# What names of files end or begin in, as the tools choose them: key, and preprocessing where it is not the tool's own.
HINTS = (
    ("legacy_tensorflow", "clean-fid", "tf1"),
    ("legacytf", "clean-fid", "tf1"),
    ("legacy_pytorch", "clean-fid", "pytorch-fid"),
    ("legacypyt", "clean-fid", "pytorch-fid"),
    ("_clean", "clean-fid", None),
    ("virtual_", "adm", None),
    ("stylegan", "stylegan", None),
    ("edm", "edm", None),
    ("pytorch-fid", "pytorch-fid", None),
    ("pytorch_fid", "pytorch-fid", None),
)


def npz_keys(path: str | os.PathLike[str]) -> set[str]:
    """Names of the arrays in an `.npz` file, of which nothing is read; empty for what is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {name.removesuffix(".npy") for name in archive.namelist() if name.endswith(".npy")}
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return set()


def holds_statistics(keys: set[str]) -> bool:
    """Whether arrays of these names are statistics, and not images."""
    return {"mu", "sigma"} <= keys or keys == {"feats"}


def read_npz(
    path: str | os.PathLike[str], *, convention: str | None = None, samples: int | None = None
) -> ReferenceStatistics:
    """Statistics that another tool wrote.

    Args:
        path: of the file.
        convention: whose it is, of `pytorch-fid`, `clean-fid`, `stylegan`, `edm`, `adm`; told from the file otherwise.
        samples: how many samples it is of, which it does not say.

    Raises:
        InputError: the file is damaged, holds Python objects, or its values cannot be statistics.
        UsageError: there is no such convention, or the file holds another number of samples.
    """
    file = Path(path)
    keys = npz_keys(file)
    if not holds_statistics(keys):
        found = ", ".join(map(shown, sorted(keys))) or "nothing"
        raise InputError(f"{shown(file)} holds {found}, and no statistics: mu and sigma, or feats")
    name, preprocessing, named = identify(file, keys, convention)
    known = CONVENTIONS[name]
    try:
        if "mu" in keys:
            features = None
            pairs = [(_array(file, mean), _array(file, spread)) for mean, spread in PAIRS if {mean, spread} <= keys]
            parts = [moments_of_covariance(*pair, samples=samples, biased=known.biased) for pair in pairs]
        else:
            features = _features(_array(file, "feats"))
            parts = [grouped_moments(features)]
    except InputError as error:
        raise InputError(f"{shown(file)} cannot be used as statistics: it holds {error}") from error
    if features is not None and samples not in (None, len(features)):
        raise UsageError(f"{shown(file)} holds {len(features)} samples, not {samples}")
    width = parts[0].dimension
    extractor = "inception" if width == INCEPTION_WIDTH else None
    return ReferenceStatistics(
        name=file.stem,
        convention=_in_words(known, preprocessing),
        moments=parts[0],
        spatial_moments=parts[1] if len(parts) > 1 else None,
        features=features,
        samples=parts[0].count,
        extractor=extractor,
        preprocessing=preprocessing if extractor else None,
        protocol={"convention": name},
        path=str(file),
        sha256=file_sha256(file),
        warnings=tuple(_warnings(file, keys, name, parts[0], named=named)),
    )


def write_npz(path: str | os.PathLike[str], statistics: ReferenceStatistics) -> None:
    """Write `mu` and `sigma` as pytorch-fid does, whole or not at all.

    Raises:
        InputError: the file cannot be written, or there are fewer than two samples.
    """
    whole = statistics.moments.whole
    mean, covariance = whole.mean.cpu().numpy(), whole.covariance.cpu().numpy()
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez(file, mu=mean, sigma=covariance)


def identify(file: Path, keys: set[str], convention: str | None = None) -> tuple[str, str, bool]:
    """The convention of a file with these arrays, its preprocessing, and whether the user or the file says so.

    Raises:
        UsageError: there is no such convention.
    """
    if convention is not None:
        if convention not in CONVENTIONS:
            hint = suggestion(convention, CONVENTIONS)
            raise UsageError(f"unknown convention {shown(convention)}{hint}; known: {', '.join(CONVENTIONS)}")
        return convention, CONVENTIONS[convention].preprocessing, True
    if {"mu_s", "sigma_s"} <= keys:
        return "adm", CONVENTIONS["adm"].preprocessing, True
    for text, name, preprocessing in HINTS:
        if text in file.name.lower():
            return name, preprocessing or CONVENTIONS[name].preprocessing, True
    name = "clean-fid" if keys == {"feats"} else "pytorch-fid"
    return name, CONVENTIONS[name].preprocessing, keys == {"feats"}


def _in_words(known: Convention, preprocessing: str) -> str:
    resize = next((each.resize for each in CONVENTIONS.values() if each.preprocessing == preprocessing), "")
    return f"{known.tool}: covariance over {'N' if known.biased else 'N - 1'}, resized {resize} ({preprocessing})"


def _warnings(file: Path, keys: set[str], name: str, moments: GroupedMoments, *, named: bool) -> Iterator[str]:
    if not named:
        others = ", ".join(other for other in CONVENTIONS if other != name)
        yield (
            f"{file.name} does not say which tool wrote it: it is read as one of {CONVENTIONS[name].tool}, and the "
            f"others ({others}) resize otherwise or divide by N"
        )
    if moments.count is None:
        yield f"{file.name} does not say how many samples it is of: the reference's share is not in the error bars"
        if CONVENTIONS[name].biased:
            yield f"the covariance in {file.name} is divided by N, and stays so, since N is not known"
    if moments.dimension != INCEPTION_WIDTH:
        yield f"{file.name} has {moments.dimension} features and does not say of which network"
    if "arr_0" in keys:
        yield f"the images in {file.name} are not looked at, only the statistics beside them"


def _array(file: Path, key: str) -> Tensor:
    try:
        with open_zip(file) as archive:
            entry = archive.getinfo(f"{key}.npy")
            check_ratio(entry.file_size, entry.compress_size, f"{file}:{key}")
        with np.load(file, allow_pickle=False) as opened:
            array: Any = opened[key]
    except ValueError as error:
        if "pickle" in str(error):
            raise InputError(f"Python objects ({key}), which gandiag never unpickles; save plain arrays") from error
        raise InputError(f"a damaged {key}: {error}".partition("\n")[0]) from error
    except DAMAGE as error:
        raise InputError(f"a damaged {key}: {error}".partition("\n")[0]) from error
    if not isinstance(array, np.ndarray) or array.dtype.kind not in "fiu":
        raise InputError(f"{key} of the type {getattr(array, 'dtype', type(array).__name__)}, expected numbers")
    kept = array if array.dtype in (np.float32, np.float64) else array.astype(np.float64)
    return torch.from_numpy(np.ascontiguousarray(kept))


def _features(features: Tensor) -> Tensor:
    """Features (n, d), checked, in an order that carries no information: the file's may be by class."""
    if features.ndim != 2 or len(features) < 2 or not features.shape[1]:
        raise InputError(f"features of the shape {tuple(features.shape)}, expected (n, d) with two samples or more")
    if not bool(torch.isfinite(features).all()):
        raise InputError("values that are not finite")
    return features[torch.from_numpy(seeds.generator(0, "order").permutation(len(features)))]
