"""Samples of a generator: sample i depends on (seed, i) alone, and is quantised as a saved image would be."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from gandiag.core import seeds
from gandiag.core.errors import GandiagError, HostileFileError, InputError, UnknownNameError, UsageError, shown
from gandiag.core.generator_options import GeneratorOptions
from gandiag.core.protocols import Conditioning, ImageSpec, Latent, Precision, Source, SourceInfo
from gandiag.sources import GENERATORS
from gandiag.sources.checkpoint import Checkpoint, StateDict
from gandiag.sources.inputs import ADVICE, Inputs, fitted_inputs, notes_of
from gandiag.sources.labels import Labels, named_labels
from gandiag.sources.latents import Latents, named_latents
from gandiag.sources.quantise import check_range, quantise
from gandiag.statistics.arithmetic import tf32_allowed
from gandiag.statistics.foreign import MEMORY, watched
from gandiag.statistics.memory import is_out_of_memory

# Seconds that building a network may take: ten times what it takes where nothing else runs.
BUILDING, PER_TENSOR, PER_BYTE = 4.0, 0.01, 2e-8
PROBE = 16  # samples that are made and looked at before any work
GeneratorFunction = Callable[..., Tensor]


class GeneratorSource:
    """A network or function `(noise[, labels]) -> images`, or of images in place of noise, as a source.

    Args:
        function: takes noise (n, *latent shape) or images (n, C, H, W) on the device, and labels (n,) where there are
            any, or one-hot.
        info: what it is; its shape is the image's.
        latents: what it is fed.
        image: what it gives.
        seed: of noise and labels.
        labels: what else it is fed, if any.
        precision: of the arithmetic on a GPU or, for bf16, anywhere.
    """

    def __init__(
        self,
        function: GeneratorFunction,
        info: SourceInfo,
        *,
        latents: Latents | Inputs,
        image: ImageSpec,
        seed: int = 0,
        labels: Labels | None = None,
        device: str = "cpu",
        precision: Precision = "fp32",
    ) -> None:
        self.info = info
        self._function = function
        self._latents = latents
        self._image = image
        self._seed = seed
        self._labels = labels
        self._device = torch.device(device)
        self._precision = precision
        self._finite: Tensor | None = None  # whether all samples since `settle` were

    @property
    def wants_prior(self) -> bool:
        """Whether its labels follow the reference's, which it does not know yet."""
        return self._labels is not None and self._labels.how == "prior" and self._labels.frequencies is None

    @property
    def walks(self) -> bool:
        """Whether there is a distribution of latents to walk in."""
        return isinstance(self._latents, Latents) and self._latents.rows is None

    @property
    def fed(self) -> Inputs | None:
        """The images that it is fed; None for a generator of noise."""
        return self._latents if isinstance(self._latents, Inputs) else None

    @property
    def image(self) -> ImageSpec:
        """Shape and values of what it gives."""
        return self._image

    def with_prior(self, labels: Tensor, name: str) -> GeneratorSource:
        """The same generator, its labels drawn with the frequencies of a reference's, int64 (n,).

        Raises:
            UsageError: those are other classes than the generator has.
        """
        if self._labels is None:
            return self
        found = self._labels.with_frequencies(labels, name)
        info = replace(self.info, details={**self.info.details, "labels": found.describe()})
        return GeneratorSource(
            self._function,
            info,
            latents=self._latents,
            image=self._image,
            seed=self._seed,
            labels=found,
            device=str(self._device),
            precision=self._precision,
        )

    def noise(self, start: int, stop: int, stream: str = "latent") -> Tensor:
        """The latents of samples `start` to `stop`, or those of another stream: float32 (n, dim); or its inputs."""
        return self._latents.draw(self._seed, stream, start, stop)

    def labels(self, start: int, stop: int) -> Tensor | None:
        """The labels of samples `start` to `stop`: int64 (n,); None for an unconditional generator."""
        return None if self._labels is None else self._labels.draw(self._seed, start, stop)

    def read(self, start: int, stop: int) -> Tensor:
        """Samples `start` to `stop`, uint8 for images.

        Raises:
            InputError: the network fails on its noise, or gives another shape than it should, or values not finite.
            UsageError: its labels are to follow a reference's, and there is none.
        """
        if self.wants_prior:
            raise UsageError(f"--labels prior of {self.info.name} needs a reference whose labels it can follow")
        step = self._together(stop - start)
        if step < stop - start:
            return torch.cat([self.read(first, min(first + step, stop)) for first in range(start, stop, step)])
        return self._quantised(self._images(self.noise(start, stop), self.labels(start, stop), start))

    def outputs(self, images: Tensor, start: int) -> Tensor:
        """What an image-to-image model makes of other inputs than its own, uint8 (n, C, H, W), from sample `start`.

        Raises:
            InputError: as in `read`; or it is fed noise.
        """
        if not isinstance(self._latents, Inputs):
            raise InputError(f"{self.info.name} takes noise, not images")
        step, parts = self._together(len(images)), []
        for first in range(0, len(images), step):
            part = self._latents.encoded(images[first : first + step])
            labels = self.labels(start + first, start + first + len(part))
            parts.append(self._quantised(self._images(part, labels, start + first)))
        return torch.cat(parts)

    def path_ends(self, start: int, stop: int, step: float) -> tuple[Tensor, Tensor]:
        """Samples at both ends of a step of paths `start` to `stop`, float32 from 0 to 255, or points as they are.

        Path i goes from latent i to a second one: along the great circle for normal noise, straight for uniform. The
        step is at a random place. Both ends have the label of sample i and the same noise inside the network.

        Raises:
            InputError: as in `read`.
        """
        if not isinstance(self._latents, Latents):
            raise InputError(f"{self.info.name} takes images, and has no latent space to walk in")
        begin, end = self.noise(start, stop).double(), self.noise(start, stop, "path end").double()
        place = torch.from_numpy(seeds.uniform(self._seed, "path place", start, stop, 1))
        between = torch.lerp if self._latents.latent.distribution == "uniform" else _slerp
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

    def check(self, *, ranged: bool = True) -> tuple[str, list[str]]:
        """Make the first few samples, and see that they are what the generator is said to give.

        Returns:
            A digest of these samples, and what looks wrong in them.

        Raises:
            InputError: as in `read`, or the values cannot be in the declared range.
        """
        count = max(self._together(PROBE), 2)
        count = count if self.info.size is None else min(count, self.info.size)
        noise, labels = self.noise(0, count), self.labels(0, count)
        images = self._images(noise, labels, 0)
        self.settle()
        if self._image.range is not None and ranged:
            check_range(images, self._image.range, self.info.name)
        made = self._quantised(images)
        digest = hashlib.sha256(made.contiguous().cpu().numpy().tobytes()).hexdigest()
        return digest, self._oddities(noise, labels, images) if count > 1 else []

    def _oddities(self, noise: Tensor, labels: Tensor | None, images: Tensor) -> list[str]:
        """What looks wrong: samples that repeat, or depend on their neighbours or on chance."""
        count, half, found = len(noise), len(noise) // 2, []
        alike = count - len({image.numpy().tobytes() for image in images.cpu()})
        if 0 < alike < count - 1:
            found.append(f"{alike} of the first {count} samples of {self.info.name} repeat others exactly")
        if not _close(self._images(noise, labels, 0), images):
            return [*found, f"{self.info.name} draws random numbers that no seed sets: scores differ from run to run"]
        # The same first half beside another second half, so that what it draws inside itself stays the same.
        mixed = torch.cat([noise[:half], noise[half:].flip(0) * 0.5])
        if not _close(self._images(mixed, labels, 0)[:half], images[:half]):
            message = f"samples of {self.info.name} depend on the others in their batch, and scores on the batch size"
            found.append(f"{message}: batch normalisation in training mode does so; save it in evaluation mode")
        return found

    def _together(self, count: int) -> int:
        return self._latents.together(count, self._image.shape) if isinstance(self._latents, Inputs) else count

    def _quantised(self, images: Tensor) -> Tensor:
        return images if self._image.range is None else quantise(images, self._image.range)

    def _images(self, noise: Tensor, labels: Tensor | None, start: int) -> Tensor:
        arguments = [self._latents.shaped(noise).to(self._device)]
        if labels is not None and self._labels is not None:
            arguments.append(self._labels.encoded(labels).to(self._device))
        # No inference mode: what a network in memory keeps of its first call is to be trained with later.
        own = _own_randomness(self._device, seeds.integer(self._seed, "network", start))
        with torch.no_grad(), tf32_allowed(self._precision != "fp32"), own:
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
            fed = "images" if isinstance(self._latents, Inputs) else "noise"
            message = f"the generator of {self.info.name} fails on {fed} of shape {tuple(arguments[0].shape)}"
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
    latent: Latent | None = None,
    image: ImageSpec,
    seed: int = 0,
    conditioning: Conditioning | None = None,
    device: str = "cpu",
    precision: Precision = "fp32",
    info: SourceInfo | None = None,
    latents: Latents | Inputs | None = None,
    labels: Labels | None = None,
    overshoots: bool = False,
) -> GeneratorSource:
    """A network in memory as a source; a module is put into evaluation mode for each read, and put back.

    `latents` and `labels` say more of what it is fed than `latent` and `conditioning` do, and take their place: Inputs
    for an image-to-image model.
    One that `overshoots` gives values beyond the range of its images, which are clipped.

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
    if latents is None:
        if latent is None:
            raise InputError(f"{shown(name)} needs a latent or inputs")
        latents = Latents(latent)
    if labels is None and conditioning is not None:
        labels = Labels(conditioning.num_classes)
    sizes = [fed.size for fed in (latents, labels) if fed is not None and fed.size is not None]
    fed = {"inputs" if isinstance(latents, Inputs) else "latent": latents.describe()}
    details = {**info.details, **fed, "labels": None if labels is None else labels.describe()}
    details["image_range"] = None if image.range is None else list(image.range)
    info = replace(info, size=min(sizes, default=None), details=details)
    if isinstance(function, nn.Module):
        function = _in_evaluation_mode(function, torch.device(device))
    source = GeneratorSource(
        function,
        info,
        latents=latents,
        image=image,
        seed=seed,
        labels=labels,
        device=device,
        precision=precision,
    )
    digest, oddities = source.check(ranged=not overshoots)
    source.info = replace(
        info, warnings=(*info.warnings, *oddities), details={**details, "first_samples_sha256": digest}
    )
    return source


def checkpoint_source(
    checkpoint: Checkpoint,
    *,
    seed: int = 0,
    device: str = "cpu",
    precision: Precision = "fp32",
    options: GeneratorOptions | None = None,
    inputs: Source | None = None,
) -> GeneratorSource:
    """A checkpoint's generator as a source, with its averaged weights where it has them.

    `inputs` are the images of an image-to-image model.

    Raises:
        InputError: the builder is not known, or its network does not fit the weights.
        UsageError: the options say what the checkpoint says itself, or do not fit it.
    """
    options = options or GeneratorOptions()
    unfit = [name for name in options.given() if name not in ("--noise", "--truncation", "--labels")]
    if unfit:
        message = f"{', '.join(unfit)} does not apply to a gandiag checkpoint, which says it itself"
        raise UsageError(f"{message}; leave it out")
    conditioning = checkpoint.conditioning
    if options.labels is not None and conditioning is None:
        raise UsageError(f"--labels was given, and the generator of {shown(checkpoint.path)} takes no labels")
    name = checkpoint.path or "checkpoint"
    fed = _fed(checkpoint, options, inputs, shown(name))
    weights = checkpoint.generator if checkpoint.generator_ema is None else checkpoint.generator_ema
    network = build_generator(checkpoint, weights, shown(name))
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
        step=checkpoint.step or None,
        warnings=tuple(notes_of(fed, shown(name))) if isinstance(fed, Inputs) else (),
    )
    return generator_source(
        network.to(device),
        name=name,
        latents=fed,
        image=checkpoint.image,
        seed=seed,
        labels=None if conditioning is None else named_labels(options.labels, conditioning.num_classes),
        device=device,
        precision=precision,
        info=info,
    )


def _fed(checkpoint: Checkpoint, options: GeneratorOptions, inputs: Source | None, title: str) -> Latents | Inputs:
    """The noise or the images that a checkpoint's generator takes, by what it says."""
    if checkpoint.latent is not None:
        if inputs is not None:
            raise UsageError(f"--inputs was given, and {title} takes noise, not images; {ADVICE}")
        return named_latents(options.noise, checkpoint.latent, options.truncation)
    wanted = checkpoint.input
    if wanted is None:
        raise InputError(f"{title} does not say whether its generator takes noise or images; write latent or input")
    if inputs is None:
        message = f"{title} takes images of the shape {wanted.shape}, not noise"
        raise UsageError(f"{message}; give it some with --inputs, a folder for instance")
    if unfit := [name for name in options.given() if name in ("--noise", "--truncation")]:
        raise UsageError(f"{', '.join(unfit)} does not apply to {title}, which takes images; leave it out")
    return fitted_inputs(inputs, wanted, title)


def build_generator(checkpoint: Checkpoint, weights: StateDict, name: str) -> nn.Module:
    """The network of a checkpoint's builder, for weights of its sizes.

    Raises:
        InputError: no such builder, it does not take the config, or it makes a network of other sizes of it.
    """
    builder, config = checkpoint.builder, checkpoint.config
    try:
        factory = GENERATORS.load(builder)
    except UnknownNameError as error:
        message = f"{name} was made by the {error}"
        raise InputError(f"{message}; install the package that registers it under gandiag.generators") from error
    try:
        inspect.signature(factory).bind(**config)
        return _made(factory, checkpoint, weights, name)
    except HostileFileError:
        raise
    except GandiagError as error:
        raise InputError(f"{name}: builder {builder!r}: {error}") from error
    except Exception as error:  # the config comes from a file: a factory may fail on it in any way
        message = f"{name}: builder {builder!r} does not take the config {shown(dict(config))}"
        raise InputError(f"{message}: {_first_line(error)}") from error


def _load_weights(network: nn.Module, weights: StateDict, name: str, builder: str) -> None:
    _check_fit(network.state_dict(), weights, name, builder)
    network.load_state_dict(dict(weights))


def _made(factory: Callable[..., nn.Module], checkpoint: Checkpoint, weights: StateDict, name: str) -> nn.Module:
    """What a factory makes of a config, in the time and memory that weights such as these allow.

    The config comes with the file, and may ask for any size; that it does not fit the weights shows when it is built.

    Raises:
        HostileFileError: it takes more.
    """
    held = sum(tensor.numel() * tensor.element_size() for tensor in weights.values())
    seconds = BUILDING + len(weights) * PER_TENSOR + held * PER_BYTE
    network: nn.Module = watched(
        lambda: factory(**checkpoint.config), f"building the network of {name}", seconds, MEMORY + 2 * held
    )
    return network


def _check_fit(own: StateDict, weights: StateDict, name: str, builder: str) -> None:
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


def _close(one: Tensor, other: Tensor) -> bool:
    """Whether two sets of images are the same but for rounding."""
    return float((one - other).abs().max()) <= 1e-3 * float(other.abs().max())


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
