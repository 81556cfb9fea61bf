"""What a generator is fed: latent i depends on the seed and i alone, or is row i of a file."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core import seeds
from gandiag.core.errors import InputError, UsageError, shown
from gandiag.core.files import check_ratio, read_bounded
from gandiag.core.generator_options import NOISES
from gandiag.core.protocols import Latent
from gandiag.core.zip_file import open_zip
from gandiag.sources.arrays import numbers
from gandiag.statistics.safetensors_file import load_safetensors
from gandiag.statistics.torch_archive import check_saved

ARRAYS = (b"\x93NUMPY", b"PK\3\4", b"PK\5\6")  # what NumPy's files begin with


@dataclass(frozen=True)
class Latents:
    """The latents of all samples.

    Attributes:
        latent: size, distribution and shape of one.
        truncation: the largest absolute value of normal numbers: those beyond it are drawn again, as in the truncation
            trick of BigGAN (arXiv:1809.11096).
        rows: the latents of a file, float32 (n, dim), in place of drawn ones.
        path: of that file.
    """

    latent: Latent
    truncation: float | None = None
    rows: Tensor | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        if self.truncation is not None and (self.latent.distribution != "normal" or self.rows is not None):
            raise UsageError("--truncation is for normal latents; leave it out, or leave --noise out")

    @property
    def size(self) -> int | None:
        """How many there are; None for as many as asked."""
        return None if self.rows is None else len(self.rows)

    def draw(self, seed: int, stream: str, start: int, stop: int) -> Tensor:
        """The latents of samples `start` to `stop`: float32 (n, dim)."""
        if self.rows is not None:
            return self.rows[start:stop]
        dim = self.latent.dim
        if self.latent.distribution == "uniform":
            return torch.from_numpy(seeds.uniform(seed, stream, start, stop, dim)).float() * 2 - 1
        if self.truncation is not None:
            return torch.from_numpy(_truncated(seeds.uniform(seed, stream, start, stop, dim), self.truncation)).float()
        normal = torch.from_numpy(seeds.normal(seed, stream, start, stop, dim))
        if self.latent.distribution == "sphere":
            normal = normal / normal.norm(dim=1, keepdim=True)
        return normal.float()

    def shaped(self, noise: Tensor) -> Tensor:
        """Latents (n, dim) in the shape that the generator takes."""
        return noise.view(len(noise), *self.latent.shape)

    def describe(self) -> dict[str, Any]:
        """For the Result."""
        described: dict[str, Any] = {"shape": list(self.latent.shape), "distribution": self.latent.distribution}
        if self.truncation is not None:
            described["truncation"] = self.truncation
        if self.rows is not None:
            described["distribution"] = "file"
            described["sha256"] = hashlib.sha256(self.rows.contiguous().numpy().tobytes()).hexdigest()
        return described


def _truncated(uniform: np.ndarray[Any, np.dtype[np.float64]], limit: float) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Normal numbers given that none is beyond the limit: the same as drawing again until it is not."""
    from scipy.special import ndtr, ndtri

    low = ndtr(-limit)
    return np.asarray(ndtri(low + uniform * (1 - 2 * low)))


def named_latents(noise: str | None, latent: Latent, truncation: float | None) -> Latents:
    """Latents by the name of their distribution, or from a file; those of `latent` for None.

    Raises:
        InputError: the file cannot be read, or its rows have another size.
        UsageError: it is neither a distribution nor a file.
    """
    if noise is None:
        return Latents(latent, truncation)
    if noise in NOISES:
        return Latents(Latent(latent.dim, noise, latent.shape), truncation)
    rows = read_latents(noise)
    if prod(rows.shape[1:]) != latent.dim:
        message = f"the latents of {shown(noise)} have the shape {tuple(rows.shape[1:])}"
        raise InputError(f"{message}, and the generator takes {latent.shape}")
    return Latents(latent, truncation, rows.flatten(1), noise)


def read_latents(noise: str) -> Tensor:
    """The rows of a file of latents, float32 (n, ...).

    Raises:
        InputError: it cannot be read, or holds other than finite numbers.
        UsageError: there is no such file.
    """
    path = Path(noise)
    if not path.is_file():
        raise UsageError(f"--noise is {shown(noise)}, expected {', '.join(NOISES)}, or a file of latents")
    rows = read_rows(path, "latents")
    if rows.ndim < 2 or 0 in rows.shape:
        raise InputError(f"the latents of {shown(path)} have the shape {tuple(rows.shape)}, expected (n, d) or more")
    rows = rows.float()
    if not bool(torch.isfinite(rows).all()):
        raise InputError(f"the latents of {shown(path)} hold NaN or infinite values")
    return rows


def read_rows(path: Path, what: str) -> Tensor:
    """The one tensor of an .npy, .npz, .txt, .csv, .pt or .safetensors file, read without running anything in it.

    Raises:
        InputError: it cannot be read, or holds other than one array of numbers.
    """
    import pickle

    try:
        match path.suffix.lower():
            case ".safetensors":
                found: Any = load_safetensors(path)
            case ".pt" | ".pth":
                check_saved(path)
                found = torch.load(path, map_location="cpu", weights_only=True)
            case ".txt" | ".csv":
                text = read_bounded(path).decode("utf-8").replace(",", " ")
                found = torch.from_numpy(np.loadtxt(text.splitlines(), ndmin=1))
            case _:
                _check_unpacked(path)
                with path.open("rb") as opened:
                    if not opened.read(6).startswith(ARRAYS):
                        raise ValueError("it is no file of NumPy; give .npy, .npz, .txt, .csv, .pt or .safetensors")
                    opened.seek(0)
                    loaded = np.load(opened, allow_pickle=False)
                    found = loaded if isinstance(loaded, np.ndarray) else dict(loaded)
        if isinstance(found, Mapping):
            if len(found) != 1:
                raise ValueError(f"it holds {len(found)} arrays, expected one")
            (found,) = found.values()
        return numbers(torch.as_tensor(found), f"the file of {what} {shown(path)}")
    except InputError:
        raise
    except pickle.UnpicklingError as error:
        raise InputError(f"the {what} {shown(path)} are damaged, or hold more than a tensor") from error
    except Exception as error:  # a damaged file may fail in any way
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        raise InputError(f"cannot read the {what} {shown(path)}: {reason}") from error


def _check_unpacked(path: Path) -> None:
    if zipfile.is_zipfile(path):
        with open_zip(path) as archive:
            for entry in archive.infolist():
                check_ratio(entry.file_size, entry.compress_size, f"{path}:{entry.filename}")
