"""A generator out of a file whose inputs and outputs are not known yet: found out by trying, and said."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.core import seeds
from gandiag.core.errors import GandiagError, InputError, UsageError, shown
from gandiag.core.generator_options import LABEL_FORMATS, NOISES, GeneratorOptions
from gandiag.core.protocols import ImageSpec, Latent, Precision, Source, SourceInfo
from gandiag.sources.factory import first_line
from gandiag.sources.generator import GeneratorSource, generator_source
from gandiag.sources.inputs import ADVICE, PIXELS, Inputs, notes_of, shapes_of
from gandiag.sources.labels import Labels, named_labels
from gandiag.sources.latents import Latents, named_latents, read_latents

TRIED = 16  # samples that are made to find out what a generator gives
ENLARGED = 16  # times as many pixels as it takes, which a model may give
BOUND = 1.05  # beyond it values are not in the range [-1, 1] that a tanh gives
DIMENSIONS = (
    "z_dim",
    "dim_z",
    "latent_dim",
    "latent_size",
    "noise_dim",
    "nz",
    "z_size",
    "zdim",
    "latent",
    "encoding_dims",
)
CLASSES = ("num_classes", "n_classes", "n_class", "nclasses", "c_dim", "num_class", "n_labels")
SCALES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0), "hardsigmoid": (0.0, 1.0), "hardtanh": (-1.0, 1.0)}


@dataclass(frozen=True)
class Network:
    """What was read from a file, before it is known what it takes and gives.

    Attributes:
        function: takes noise, and labels where it is conditional.
        kind: of the file, such as `ONNX`.
        path: of the file.
        sha256: of its content.
        module: the network itself, where there is one, to learn from.
        latents: shapes of one latent that are worth a try, the likeliest first.
        said: whether the file says the latent's shape itself.
        classes: of the labels that it takes, where it says so.
        conditional: whether it takes labels; None where that is not known.
        label_format: where it is known.
        image_range: where it is known.
        overshoots: whether values beyond the range are usual for it.
        weights: which weights were taken.
        notes: what was chosen so far.
        details: more for the Result.
    """

    function: Callable[..., Any]
    kind: str
    path: Path
    sha256: str
    module: nn.Module | None = None
    latents: tuple[tuple[int, ...], ...] = ()
    said: bool = False
    classes: int | None = None
    conditional: bool | None = None
    label_format: str | None = None
    image_range: tuple[float, float] | None = None
    overshoots: bool = False
    weights: str | None = None
    notes: tuple[str, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """The file's name, quoted."""
        return shown(self.path)


def network_source(
    network: Network,
    options: GeneratorOptions,
    *,
    seed: int,
    device: str,
    precision: Precision,
    inputs: Source | None = None,
) -> GeneratorSource:
    """A network as a source: what the user, the file or the network itself does not say is found out by trying.

    With `inputs` it is an image-to-image model, which is fed these images.

    Raises:
        InputError: it takes none of the latents that were tried, or gives no images.
        UsageError: the options do not fit it.
    """
    if network.module is not None:
        network.module.to(device)
    found = _tried(network, options, device) if inputs is None else _fed(network, options, device, inputs)
    images = found.images
    shape = options.image_shape or _image_shape(images, network)
    limits, guessed = (None, None) if len(shape) == 1 else _range(images, network, options)
    image = ImageSpec(shape, limits)
    labels = found.labels
    notes = [*network.notes, *_said(network, options, found, guessed)]
    return generator_source(
        _Shaped(network.function, network.title, image.shape, _channels_last(images) and options.image_shape is None),
        name=str(network.path),
        latents=found.fed or _latents(found.latent, network, options),
        labels=labels,
        image=image,
        seed=seed,
        device=device,
        precision=precision,
        overshoots=network.overshoots,
        info=SourceInfo(
            name=str(network.path),
            kind="generator",
            shape=image.shape,
            quantisation="none" if image.range is None else "uint8",
            path=str(network.path),
            sha256=network.sha256,
            weights=network.weights,
            warnings=tuple(notes),
            details={"format": network.kind, **network.details},
        ),
    )


def latents_of(module: nn.Module, config: Mapping[str, Any] | None = None) -> tuple[tuple[int, ...], ...]:
    """Shapes that one latent of a network may have, the likeliest first: by its attributes, its config, its layers."""
    sizes: list[int] = []
    for holder in (vars(module), config or {}):
        sizes += [holder[name] for name in DIMENSIONS if type(holder.get(name)) is int and holder[name] > 0]
    shapes = [shape for size in sizes for shape in ((size,), (size, 1, 1))]
    embedded = [width for _, width in _embeddings(module)]
    classes = [count for count, _ in _embeddings(module)]
    classes += [value for name, value in vars(module).items() if name in CLASSES and type(value) is int]
    for name, parameter in module.named_parameters():
        if parameter.ndim not in (2, 4) or "emb" in name.lower():
            continue
        if parameter.ndim == 2:
            width = parameter.shape[1]
            # What is left where the embedded or one-hot label is joined to the noise.
            shapes += [(width,), *((width - other,) for other in (*embedded, *classes) if 0 < other < width)]
        else:
            shapes += [(size, 1, 1) for size in (parameter.shape[0], parameter.shape[1])]
            shapes += [(parameter.shape[0],), (parameter.shape[1],)]
        break
    shapes += [(size,) for size in embedded]
    return tuple(dict.fromkeys(shapes))


def classes_of(module: nn.Module, config: Mapping[str, Any] | None = None) -> int | None:
    """How many classes a conditional network has: by its attributes, its config, or its embeddings; None if unsure."""
    for holder in (vars(module), config or {}):
        for name in CLASSES:
            if type(holder.get(name)) is int and holder[name] > 0:
                return int(holder[name])
    sizes = {count for count, _ in _embeddings(module)}
    return sizes.pop() if len(sizes) == 1 else None


def _embeddings(module: nn.Module) -> list[tuple[int, int]]:
    """Classes and width of a network's embeddings; those of TorchScript are told by the names of their weights."""
    layers = [layer for layer in module.modules() if isinstance(layer, nn.Embedding)]
    if layers or not isinstance(module, torch.jit.ScriptModule):
        return [(layer.num_embeddings, layer.embedding_dim) for layer in layers]
    named = [value.shape for name, value in module.named_parameters() if "emb" in name.lower() and value.ndim == 2]
    return [(shape[0], shape[1]) for shape in named]


def takes_labels(function: Callable[..., Any]) -> bool | None:
    """Whether a function needs a second argument; None where it may do without, or cannot be asked."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return None
    usual = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    if len([each for each in usual if each.default is each.empty]) >= 2:
        return True
    unlimited = any(each.kind == each.VAR_POSITIONAL for each in parameters)
    return None if unlimited or len(usual) >= 2 else False


@dataclass(frozen=True)
class _Found:
    """What a network took, and gave for it."""

    latent: tuple[int, ...]
    labels: Labels | None
    images: Tensor
    guessed_form: bool
    fed: Inputs | None = None


def _tried(network: Network, options: GeneratorOptions, device: str) -> _Found:
    """The first of the possible inputs that the network takes and gives images for."""
    shapes = _shapes(network, options)
    if not shapes:
        raise UsageError(f"the latent of {network.title} cannot be told; say its size with --latent, such as 100")
    failures: list[str] = []
    for labels in _label_choices(network, options):
        joined = [] if labels is None or network.said or options.latent else _beside(shapes, labels.classes)
        for shape in (*shapes, *joined):
            try:
                images = _images(network, _count(TRIED, labels), partial(_noise, shape), labels, device)
            except _UnfitError as error:
                said = "" if labels is None else f" and {labels.form} labels"
                failures.append(f"latent {_sizes(shape)}{said}: {error}")
                continue
            return _Found(shape, labels, images, options.label_format is None and network.label_format is None)
    message = f"{network.title} takes none of the inputs that were tried ({'; '.join(failures[:3])})"
    raise InputError(f"{message}; say what it takes with --latent, --classes and --label-format")


def _beside(shapes: Sequence[tuple[int, ...]], classes: int) -> list[tuple[int, ...]]:
    """What is left of the first layer's inputs for the latent, where the label is joined to it as one-hot."""
    return [(shape[0] - classes,) for shape in shapes if len(shape) == 1 and shape[0] > classes]


def _shapes(network: Network, options: GeneratorOptions) -> tuple[tuple[int, ...], ...]:
    if options.latent is not None:
        size = options.latent
        return (size, (*size, 1, 1)) if len(size) == 1 and not network.said else (size,)
    if options.noise is not None and options.noise not in NOISES and not network.said:
        return tuple(dict.fromkeys((tuple(read_latents(options.noise).shape[1:]), *network.latents)))
    return network.latents


def _label_choices(network: Network, options: GeneratorOptions) -> Iterator[Labels | None]:
    """Without labels first, unless the user speaks of some or the network cannot do without."""
    asked = options.labels is not None or options.classes is not None or options.label_format is not None
    if asked and network.conditional is False:
        raise UsageError(f"--labels, --classes and --label-format do not apply: {network.title} takes no labels")
    if not asked and network.conditional is not True:
        yield None
        if network.conditional is False:
            return
    classes = options.classes or network.classes
    if classes is None:
        if asked or network.conditional:
            raise UsageError(f"the number of classes of {network.title} cannot be told; say it with --classes")
        return
    form = options.label_format or network.label_format
    for each in LABEL_FORMATS if form is None else (form,):
        yield named_labels(options.labels, classes, each)


class _UnfitError(ValueError):
    """The network does not take what was tried."""


def _latents(shape: tuple[int, ...], network: Network, options: GeneratorOptions) -> Latents:
    truncation = None if "truncation_psi" in network.details else options.truncation
    return named_latents(options.noise, Latent(prod(shape), "normal", shape), truncation)


def _noise(shape: tuple[int, ...], count: int) -> Tensor:
    return torch.from_numpy(seeds.normal(0, "trial", 0, count, prod(shape))).float().view(count, *shape)


def _count(most: int, fed: Labels | Inputs | None) -> int:
    return most if fed is None or fed.size is None else min(most, fed.size)


def _fed(network: Network, options: GeneratorOptions, device: str, source: Source) -> _Found:
    """What a network gives for images: as they are, or as RGB where they are grey and it does not take them so."""
    if unfit := [name for name in options.given() if name in ("--latent", "--noise", "--truncation")]:
        raise UsageError(f"{', '.join(unfit)} says what noise a generator takes; leave it out where --inputs is given")
    shapes = shapes_of(source)
    name = shown(source.info.name)
    if network.said and network.latents[0] not in shapes:
        message = f"{network.title} takes {network.latents[0]}, and the images of {name} are {source.info.shape}"
        raise InputError(f"{message}; resize or crop them as the model was trained; {ADVICE}")
    if options.input_range is None:
        message = f"the values that {network.title} takes cannot be told"
        raise UsageError(
            f"{message}: say those of black and white in its inputs with --input-range, such as -1,1 or 0,1"
        )
    failures: list[str] = []
    for labels in _label_choices(network, options):
        for shape in network.latents[:1] if network.said else shapes:
            inputs = Inputs(source, ImageSpec(shape, options.input_range))
            most = max(1, min(TRIED, PIXELS // (ENLARGED * prod(shape[1:]))))
            count = _count(_count(most, inputs), labels)
            try:
                images = _images(network, count, partial(inputs.draw, 0, "", 0), labels, device)
            except _UnfitError as error:
                failures.append(str(error))
                continue
            guessed = options.label_format is None and network.label_format is None
            return _Found(shape, labels, images, guessed, inputs)
    message = f"{network.title} does not take the images of {name}, of the shape {source.info.shape}"
    raise InputError(f"{message}: {failures[0] if failures else 'it needs labels, see --classes'}; {ADVICE}")


def _images(network: Network, count: int, feed: Callable[[int], Tensor], labels: Labels | None, device: str) -> Tensor:
    """What it gives for some noise or images."""
    arguments = [feed(count).to(device)]
    if labels is not None:
        arguments.append(labels.encoded(labels.draw(0, 0, count)).to(device))
    try:
        with torch.inference_mode(), torch.random.fork_rng([]):
            found = network.function(*arguments)
    except GandiagError:
        raise
    except Exception as error:  # a stranger's network may fail in any way
        raise _UnfitError(_reason(error)) from error
    images = _first_tensor(found)
    if images is None:
        raise _UnfitError(f"it gives {type(found).__name__}, expected images")
    if images.ndim not in (2, 4) or len(images) != count:
        raise _UnfitError(f"it gives {tuple(images.shape)} for {count} inputs, expected (n, C, H, W)")
    if not bool(torch.isfinite(images).all()):
        raise InputError(f"the generator of {network.title} gives NaN or infinite values")
    return images.float().cpu()


def _first_tensor(found: Any) -> Tensor | None:
    """The images of a network that gives more than those, such as (images, latents)."""
    if isinstance(found, Mapping):
        found = list(found.values())
    if isinstance(found, list | tuple) and found:
        found = found[0]
    return found if isinstance(found, Tensor) else None


class _Shaped:
    """A network's function, its images as (n, C, H, W)."""

    def __init__(self, function: Callable[..., Any], title: str, shape: tuple[int, ...], channels_last: bool) -> None:
        self._function, self._title, self._shape, self._last = function, title, shape, channels_last
        self.__name__ = "generator"

    def __call__(self, *arguments: Tensor) -> Tensor:
        images = _first_tensor(self._function(*arguments))
        if images is None:
            raise InputError(f"the generator of {self._title} gives no images")
        if self._last:
            images = images.permute(0, 3, 1, 2)
        if images.ndim == 2 and len(self._shape) == 3 and images.shape[1] == prod(self._shape):
            images = images.view(-1, *self._shape)
        return images


def _channels_last(images: Tensor) -> bool:
    return images.ndim == 4 and images.shape[1] > 4 and images.shape[3] in (1, 3, 4)


def _image_shape(images: Tensor, network: Network) -> tuple[int, ...]:
    shape = tuple(images.shape[1:])
    if _channels_last(images):
        shape = (shape[2], shape[0], shape[1])
    if len(shape) == 3 and shape[0] not in (1, 2, 3, 4):
        raise InputError(f"{network.title} gives images of {shape[0]} channels, expected 1 or 3")
    return shape


def _range(images: Tensor, network: Network, options: GeneratorOptions) -> tuple[tuple[float, float], str | None]:
    """The values of black and white, and what they were guessed from."""
    if options.image_range is not None:
        return options.image_range, None
    if network.image_range is not None:
        return network.image_range, None
    last = [type(layer).__name__.lower() for layer in network.module.modules()][-1:] if network.module else []
    low, high = float(images.min()), float(images.max())
    for name, limits in SCALES.items():
        if name in last and limits[0] - 1e-6 <= low and high <= limits[1] + 1e-6:
            return limits, f"{_interval(limits)} as its last layer is a {name}"
    if low >= 1 - BOUND and high <= BOUND:
        limits = (0.0, 1.0)
    else:
        limits = (0.0, 255.0) if low >= -2 and 8 < high <= 260 else (-1.0, 1.0)
    return limits, f"{_interval(limits)} as their values run from {low:.3g} to {high:.3g}"


def _said(network: Network, options: GeneratorOptions, found: _Found, guessed: str | None) -> Iterator[str]:
    """What was not said by the user or the file, so that it can be put right."""
    if found.fed is not None:
        yield from notes_of(found.fed, network.title)
    elif options.latent is None and not network.said:
        yield f"the latent of {network.title} is taken to be {_sizes(found.latent)}, which it takes: see --latent"
    if guessed is not None:
        yield f"the images of {network.title} are taken to be {guessed}: see --image-range"
    if found.labels is not None and options.labels is None:
        yield f"the labels of {network.title} are uniform over {found.labels.classes} classes: see --labels"
    if found.labels is not None and found.guessed_form:
        yield f"{network.title} takes labels as {found.labels.form}: see --label-format"


def _interval(limits: tuple[float, float]) -> str:
    return f"from {limits[0]:g} to {limits[1]:g}"


def _sizes(shape: Sequence[int]) -> str:
    return ",".join(map(str, shape))


def _reason(error: Exception) -> str:
    return first_line(error)[:160]
