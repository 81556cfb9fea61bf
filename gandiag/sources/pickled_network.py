"""A whole network in a pickle, such as NVIDIA's StyleGAN: loading it runs code, so it needs the user's word."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.core.errors import InputError, shown
from gandiag.core.files import file_sha256
from gandiag.core.generator_options import GeneratorOptions
from gandiag.sources.factory import current_folder, first_line
from gandiag.sources.network import Network, classes_of, latents_of, takes_labels
from gandiag.sources.weight_names import is_averaged, preference

STYLEGAN = ("torch_utils.persistence", "dnnlib", "training.networks")


def refusal(path: Path, names: tuple[str, ...]) -> InputError:
    """Why a pickle is not loaded, and what to do."""
    listed = ", ".join(shown(name) for name in names[:3]) or "code"
    what = "a pickle of NVIDIA's StyleGAN" if is_stylegan(names) else "a pickled object"
    message = f"{shown(path)} is refused: it is {what}, and loading it runs code that is in it (it names {listed})"
    return InputError(
        f"{message}: save the generator's state_dict() instead; or, if you trust whoever made it, --unsafe-pickle"
    )


def is_stylegan(names: tuple[str, ...]) -> bool:
    """Whether the names in a pickle are those of NVIDIA's StyleGAN repositories."""
    return any(name.startswith(STYLEGAN) for name in names)


def pickled_network(path: Path, options: GeneratorOptions) -> Network:
    """The generator of a pickle, which runs whatever code the pickle holds.

    Raises:
        InputError: it cannot be loaded, or holds no network.
    """
    loaded = _unpickled(path)
    module, key = _generator(loaded, path, options.weights_key)
    module = module.eval().requires_grad_(False).float()
    warning = f"--unsafe-pickle: {shown(path)} was unpickled, which ran the code in it with all your rights"
    notes = [warning, *([f"the network {shown(key)} of {shown(path)} is taken"] if key else [])]
    z_dim, c_dim = getattr(module, "z_dim", None), getattr(module, "c_dim", None)
    if type(z_dim) is int and type(c_dim) is int:
        psi = 1.0 if options.truncation is None else options.truncation
        return Network(
            function=_StyleGan(module, c_dim, psi),
            kind="StyleGAN pickle",
            path=path,
            sha256=file_sha256(path),
            module=module,
            latents=((z_dim,),),
            said=True,
            classes=c_dim or None,
            conditional=c_dim > 0,
            label_format="one-hot" if c_dim else None,
            image_range=(-1.0, 1.0),
            overshoots=True,
            weights=key or None,
            notes=tuple(notes),
            details={"truncation_psi": psi, "averaged": is_averaged(key)},
        )
    return Network(
        function=module,
        kind="pickle",
        path=path,
        sha256=file_sha256(path),
        module=module,
        latents=latents_of(module),
        classes=classes_of(module),
        conditional=takes_labels(module.forward),
        weights=key or None,
        notes=tuple(notes),
        details={"averaged": is_averaged(key)},
    )


class _StyleGan(nn.Module):
    """StyleGAN's call: noise, one-hot labels or none, and psi."""

    def __init__(self, network: nn.Module, c_dim: int, psi: float) -> None:
        super().__init__()
        self.network, self.c_dim, self.psi = network, c_dim, psi

    def forward(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        if labels is None:
            labels = noise.new_zeros(len(noise), self.c_dim)
        images: Tensor = self.network(noise, labels, truncation_psi=self.psi)
        return images


class _Unpickler(pickle.Unpickler):
    """Storages that were on a GPU come to the CPU."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("torch.storage", "_load_from_bytes"):
            return lambda content: torch.load(io.BytesIO(content), map_location="cpu", weights_only=False)
        return super().find_class(module, name)


def _unpickled(path: Path) -> Any:
    print(  # before anything in it can run
        f"warning: --unsafe-pickle: {shown(path)} is unpickled now, which runs the code in it with all your rights",
        file=sys.stderr,
    )
    try:
        with current_folder(), torch.random.fork_rng([]):
            with path.open("rb") as opened:
                zipped = opened.read(4) == b"PK\x03\x04"
            if zipped:
                return torch.load(path, map_location="cpu", weights_only=False)
            with path.open("rb") as opened:
                try:
                    found = _Unpickler(opened).load()
                except (pickle.UnpicklingError, AttributeError):
                    found = None
            if found is None or isinstance(found, int):  # the old format of torch.save begins with a number
                return torch.load(path, map_location="cpu", weights_only=False)
            return found
    except ModuleNotFoundError as error:
        message = f"{shown(path)} needs the code that it was made with: {first_line(error)}"
        raise InputError(
            f"{message}; run gandiag in the folder of that code (for StyleGAN, NVIDIA's repository)"
        ) from error
    except (Exception, SystemExit) as error:  # what it runs may fail in any way
        raise InputError(f"{shown(path)} cannot be unpickled: {first_line(error)}") from error


def _generator(loaded: Any, path: Path, key: str | None) -> tuple[nn.Module, str]:
    if isinstance(loaded, nn.Module) and key is None:
        return loaded, ""
    parts = loaded if isinstance(loaded, Mapping) else {}
    networks = {str(name): part for name, part in parts.items() if isinstance(part, nn.Module)}
    if key is not None:
        networks = {name: part for name, part in networks.items() if name == key}
    if not networks:
        held = ", ".join(shown(name) for name in list(parts)[:6]) or type(loaded).__name__
        raise InputError(f"{shown(path)} holds no network{'' if key is None else f' {shown(key)}'} (found: {held})")
    name = min(networks, key=preference)
    return networks[name], name
