"""How a file that holds a generator is to be used, where the file does not say it itself."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gandiag.core.errors import UsageError, shown
from gandiag.core.files import MOST_TEXT, read_bounded
from gandiag.core.strict_json import parse_json
from gandiag.core.toml import MOST_BYTES, parse_toml

NOISES = ("normal", "uniform", "sphere")
LABELS = ("uniform", "prior")
LABEL_FORMATS = ("index", "one-hot")
LARGEST = 2**20  # numbers in a latent, and classes
SIDE = 2**16  # pixels along a side


@dataclass(frozen=True)
class GeneratorOptions:
    """What the user says of a generator; what is None is read from the file, or found out by trying, and said.

    Attributes:
        network: registered name of the network, or `package.module:factory`, whose code is then imported and run.
        config: keyword arguments of the factory.
        weights_key: where in the file the generator's weights are, such as `g_ema` or `state_dict.generator`.
        latent: shape of one latent, such as (100,) or (100, 1, 1).
        noise: `normal`, `uniform` on (-1, 1), `sphere` of radius 1, or a file with one latent a row.
        truncation: the largest absolute value of normal latents; psi of a StyleGAN.
        labels: `uniform`, `prior` (frequencies of the reference), one class, or a file with one label a row.
        classes: how many there are.
        label_format: `index` or `one-hot`.
        image_shape: [C, H, W] of flat outputs.
        image_range: the values that mean black and white.
        input_range: the values that mean black and white in the images that an image-to-image model takes.
        unsafe_pickle: run the code in a pickle.
    """

    network: str | None = None
    config: Mapping[str, Any] | None = None
    weights_key: str | None = None
    latent: tuple[int, ...] | None = None
    noise: str | None = None
    truncation: float | None = None
    labels: str | None = None
    classes: int | None = None
    label_format: str | None = None
    image_shape: tuple[int, ...] | None = None
    image_range: tuple[float, float] | None = None
    input_range: tuple[float, float] | None = None
    unsafe_pickle: bool = False

    def __post_init__(self) -> None:
        latent, image = self.latent, self.image_shape
        if latent is not None:
            size = math.prod(latent) if _wholes(latent, LARGEST) else 0
            if not 0 < size <= LARGEST:
                raise UsageError(f"--latent is {_listed(latent)}, expected sizes such as 100 or 100,1,1")
        if image is not None and not (len(image) in (1, 3) and _wholes(image, SIDE)):
            raise UsageError(f"--image-shape is {_listed(image)}, expected C,H,W such as 3,32,32, or d for points")
        for option, limits in (("--image-range", self.image_range), ("--input-range", self.input_range)):
            fits = limits is None or (len(limits) == 2 and all(map(math.isfinite, limits)) and limits[0] < limits[1])
            if not fits:
                raise UsageError(f"{option} is {_listed(limits)}, expected low,high such as -1,1")
        if self.truncation is not None and not 0 < self.truncation < math.inf:
            raise UsageError(f"--truncation is {self.truncation:g}, expected a number above 0")
        if self.classes is not None and not 0 < self.classes <= LARGEST:
            raise UsageError(f"--classes is {self.classes}, expected a whole number from 1 to {LARGEST}")
        if self.label_format not in (None, *LABEL_FORMATS):
            raise UsageError(f"--label-format is {shown(self.label_format)}, expected {' or '.join(LABEL_FORMATS)}")
        for option, value in (("--generator", self.network), ("--noise", self.noise), ("--labels", self.labels)):
            if value == "":
                raise UsageError(f"{option} is empty; name one, or leave the option out")

    def given(self) -> list[str]:
        """The command line's names of what was said."""
        names = {"network": "--generator", "config": "--generator-config"}
        said = (each.name for each in dataclasses.fields(self) if getattr(self, each.name) not in (None, False))
        return [names.get(name, "--" + name.replace("_", "-")) for name in said]


def read_config(text: str) -> dict[str, Any]:
    """The arguments of a factory: JSON, or the name of a JSON or TOML file.

    Raises:
        UsageError: it is neither.
    """
    try:
        if text.lstrip().startswith("{"):
            found = parse_json(text)
        else:
            toml = text.lower().endswith(".toml")
            content = read_bounded(text, MOST_BYTES if toml else MOST_TEXT).decode("utf-8")
            found = parse_toml(content) if toml else parse_json(content)
    except OSError as error:
        reason = error.strerror or error
        raise UsageError(
            f"--generator-config is {shown(text)}, expected JSON such as {{}} or a file: {reason}"
        ) from error
    except ValueError as error:
        raise UsageError(f"--generator-config {shown(text)} cannot be read: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"--generator-config {shown(text)} is {type(found).__name__}, expected names and values")
    return found


def _wholes(sizes: tuple[int, ...], largest: int) -> bool:
    return bool(sizes) and all(type(size) is int and 0 < size <= largest for size in sizes)


def _listed(values: object) -> str:
    return shown(",".join(map(str, values)) if isinstance(values, list | tuple) else values)
