"""Samples of a generator: sample i depends on (seed, i) alone, and is quantised as a saved image would be."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from gandiag.core import seeds
from gandiag.core.errors import GandiagError, InputError, UnknownNameError, shown
from gandiag.core.protocols import Conditioning, ImageSpec, Latent, Precision, SourceInfo
from gandiag.sources import GENERATORS
from gandiag.sources.checkpoint import Checkpoint, StateDict
from gandiag.sources.quantise import check_range, quantise
from gandiag.statistics.memory import is_out_of_memory

PROBE = 16  # samples that are made and looked at before any work
GeneratorFunction = Callable[..., Tensor]


class GeneratorSource:
    """A network or function `(noise[, labels]) -> images` as a source.

    Args:
        function: takes noise (n, dim) on the device, and labels (n,) where conditioned.
        info: what it is; its shape is the image's.
        seed: of noise and labels.
        conditioning: the labels are drawn uniformly from its classes.
        precision: of the arithmetic on a GPU or, for bf16, anywhere.
    """

    def __init__(
        self,
        function: GeneratorFunction,
        info: SourceInfo,
        *,
        latent: Latent,
        image: ImageSpec,
        seed: int = 0,
        conditioning: Conditioning | None = None,
        device: str = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        self.info = info
        self._function = function
        self._latent = latent
        self._image = image
        self._seed = seed
        self._conditioning = conditioning
        self._device = torch.device(device)
        self._precision = precision
        self._finite: Tensor | None = None  # whether all samples since `settle` were

    def noise(self, start: int, stop: int, stream: str = "latent") -> Tensor:
        """The latents of samples `start` to `stop`, or those of another stream: float32 (n, dim)."""
        draw = seeds.normal if self._latent.distribution == "normal" else seeds.uniform
        drawn = torch.from_numpy(draw(self._seed, stream, start, stop, self._latent.dim)).float()
        return drawn if self._latent.distribution == "normal" else drawn * 2 - 1

    def labels(self, start: int, stop: int) -> Tensor | None:
        """The labels of samples `start` to `stop`: int64 (n,); None for an unconditional generator."""
        if self._conditioning is None:
            return None
        drawn = seeds.integers(self._seed, "labels", start, stop, 1, self._conditioning.num_classes)
        return torch.from_numpy(drawn[:, 0])

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`, uint8 for images.

        Raises:
            InputError: the network fails on its noise, or gives another shape than it should, or values not finite.
        """
        images = self._images(self.noise(start, stop), self.labels(start, stop), start)
        return images if self._image.range is None else quantise(images, self._image.range)

    def path_ends(self, start: int, stop: int, step: float) -> tuple[Tensor, Tensor]:
        """Samples at both ends of a step of paths `start` to `stop`, float32 from 0 to 255, or points as they are.

        Path i goes from latent i to a second one: along the great circle for normal noise, straight for uniform. The
        step is at a random place. Both ends have the label of sample i and the same noise inside the network.

        Raises:
            InputError: as in `read`.
        """
        begin, end = self.noise(start, stop).double(), self.noise(start, stop, "path end").double()
        place = torch.from_numpy(seeds.uniform(self._seed, "path place", start, stop, 1))
        between = _slerp if self._latent.distribution == "normal" else torch.lerp
        labels = self.labels(start, stop)
        one, other = (
            self._images(between(begin, end, place + offset).float(), labels, start) for offset in (0.0, step)
        )
        if self._image.range is None:
            return one, other
        low, high = self._image.range
        scale = 255 / (high - low)
        return (one - low) * scale, (other - low) * scale

    def settle(self) -> None:
        """See that all samples so far were finite, which a GPU is asked once and not for each batch.

        Raises:
            InputError: one was not.
        """
        if self._finite is not None and not bool(self._finite):
            raise InputError(f"the generator of {self.info.name} gives NaN or infinite values")
        self._finite = None

    def check(self) -> None:
        """Make the first few samples, and see that they are what the generator is said to give.

        Raises:
            InputError: as in `read`, or the values cannot be in the declared range.
        """
        images = self._images(self.noise(0, PROBE), self.labels(0, PROBE), 0)
        self.settle()
        if self._image.range is not None:
            check_range(images, self._image.range, self.info.name)

    def _images(self, noise: Tensor, labels: Tensor | None, start: int) -> Tensor:
        arguments = [noise.to(self._device)]
        if labels is not None:
            arguments.append(labels.to(self._device))
        with torch.inference_mode(), _own_randomness(self._device, seeds.integer(self._seed, "network", start)):
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bf16"):
                images = self._call(arguments)
            return self._checked(images, len(noise))

    def _call(self, arguments: list[Tensor]) -> Tensor:
        try:
            return self._function(*arguments)
        except GandiagError:
            raise
        except Exception as error:  # a stranger's network may raise anything
            if is_out_of_memory(error):
                raise  # the evaluation goes on with smaller batches
            message = f"the generator of {self.info.name} fails on noise of shape {tuple(arguments[0].shape)}"
            raise InputError(f"{message}: {_first_line(error)}") from error

    def _checked(self, images: object, count: int) -> Tensor:
        if not isinstance(images, Tensor):
            raise InputError(f"the generator of {self.info.name} gives {type(images).__name__}, expected a tensor")
        expected = (count, *self._image.shape)
        if tuple(images.shape) != expected:
            message = f"the generator of {self.info.name} gives the shape {tuple(images.shape)}, expected {expected}"
            raise InputError(f"{message}; check the image shape that it declares")
        images = images.float()
        finite = torch.isfinite(images).all()
        self._finite = finite if self._finite is None else self._finite & finite
        if images.device.type == "cpu":
            self.settle()
        return images


def generator_source(
    function: GeneratorFunction,
    *,
    name: str,
    latent: Latent,
    image: ImageSpec,
    seed: int = 0,
    conditioning: Conditioning | None = None,
    device: str = "cpu",
    precision: Precision = "fp32",
    info: SourceInfo | None = None,
) -> GeneratorSource:
    """A network in memory as a source; a module is put into evaluation mode for each read, and put back.

    Noise that a network draws inside itself repeats from run to run, but depends on the batch size.

    Raises:
        InputError: its first samples are not what it is said to give.
    """
    info = info or SourceInfo(
        name=name,
        kind="generator",
        shape=image.shape,
        quantisation="none" if image.range is None else "uint8",
    )
    if isinstance(function, nn.Module):
        function = _in_evaluation_mode(function, torch.device(device))
    source = GeneratorSource(
        function,
        info,
        latent=latent,
        image=image,
        seed=seed,
        conditioning=conditioning,
        device=device,
        precision=precision,
    )
    source.check()
    return source


def checkpoint_source(
    checkpoint: Checkpoint, *, seed: int = 0, device: str = "cpu", precision: Precision = "fp32"
) -> GeneratorSource:
    """A checkpoint's generator as a source, with its averaged weights where it has them.

    Raises:
        InputError: the builder is not known, or its network does not fit the weights.
    """
    name = checkpoint.path or "checkpoint"
    weights = checkpoint.generator if checkpoint.generator_ema is None else checkpoint.generator_ema
    network = build_generator(checkpoint.builder, checkpoint.config, shown(name))
    _load_weights(network, weights, shown(name), checkpoint.builder)
    info = SourceInfo(
        name=name,
        kind="checkpoint",
        shape=checkpoint.image.shape,
        quantisation="none" if checkpoint.image.range is None else "uint8",
        path=checkpoint.path,
        sha256=checkpoint.sha256,
        weights="generator" if checkpoint.generator_ema is None else "generator_ema",
        dataset=checkpoint.dataset,
    )
    return generator_source(
        network.to(device),
        name=name,
        latent=checkpoint.latent,
        image=checkpoint.image,
        seed=seed,
        conditioning=checkpoint.conditioning,
        device=device,
        precision=precision,
        info=info,
    )


def build_generator(builder: str, config: Mapping[str, Any], name: str) -> nn.Module:
    """The network of a registered builder.

    Raises:
        InputError: no such builder, or it does not take this config.
    """
    try:
        factory = GENERATORS.load(builder)
    except UnknownNameError as error:
        message = f"{name} was made by the {error}"
        raise InputError(f"{message}; install the package that registers it under gandiag.generators") from error
    try:
        inspect.signature(factory).bind(**config)
        return factory(**config)
    except GandiagError as error:
        raise InputError(f"{name}: builder {builder!r}: {error}") from error
    except Exception as error:  # the config comes from a file: a factory may fail on it in any way
        message = f"{name}: builder {builder!r} does not take the config {shown(dict(config))}"
        raise InputError(f"{message}: {_first_line(error)}") from error


def _load_weights(network: nn.Module, weights: StateDict, name: str, builder: str) -> None:
    own = network.state_dict()
    missing = [key for key in own if key not in weights]
    surplus = [key for key in weights if key not in own]
    shapes = [
        f"{key} is {tuple(weights[key].shape)} in the file and {tuple(own[key].shape)} in the network"
        for key in own
        if key in weights and weights[key].shape != own[key].shape
    ]
    problems = shapes[:3]
    problems += [f"the file lacks {', '.join(missing[:3])}"] if missing else []
    problems += [f"the network has no {', '.join(map(shown, surplus[:3]))}"] if surplus else []
    if problems:
        raise InputError(f"the weights of {name} do not fit its builder {builder!r}: {'; '.join(problems)}")
    network.load_state_dict(dict(weights))


def _slerp(begin: Tensor, end: Tensor, place: Tensor) -> Tensor:
    """Along the great circle between the directions of two latents (n, dim), at the length of the first."""
    lengths: Tensor = begin.norm(dim=1, keepdim=True)
    one, other = begin / lengths, end / end.norm(dim=1, keepdim=True)
    angle = (one * other).sum(dim=1, keepdim=True).clamp(-1, 1).acos()
    aside = other - angle.cos() * one
    aside = aside / aside.norm(dim=1, keepdim=True).clamp_min(torch.finfo(aside.dtype).tiny)
    direction = (place * angle).cos() * one + (place * angle).sin() * aside
    moved: Tensor = lengths * direction
    return moved


def _in_evaluation_mode(network: nn.Module, device: torch.device) -> GeneratorFunction:
    network.to(device)

    def generate(*arguments: Tensor) -> Tensor:
        modes = {module: module.training for module in network.modules()}
        network.eval()
        try:
            return cast(Tensor, network(*arguments))
        finally:
            for module, training in modes.items():
                module.training = training

    return generate


@contextmanager
def _own_randomness(device: torch.device, seed: int) -> Iterator[None]:
    """Noise that a network draws inside itself repeats from run to run, and leaves the caller's generators alone."""
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):
        torch.default_generator.manual_seed(seed)
        if devices:
            torch.cuda.manual_seed(seed)
        yield


def _first_line(error: Exception) -> str:
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
