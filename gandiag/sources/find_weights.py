"""Which tensors of a trainer's checkpoint are the generator's: those that fit its network, averaged ones first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from gandiag.core.errors import InputError, UsageError, shown, suggestion
from gandiag.sources.weight_names import is_averaged, preference, unwrapped

DEEPEST = 8
MOST = 1_000_000
AVERAGING = frozenset({"decay", "num_updates", "n_averaged", "step", "initted"})  # numbers beside averaged weights
COUNTER = "num_batches_tracked"  # of batch normalisation in training; scoring does not need it


@dataclass(frozen=True)
class Group:
    """Tensors of one place in a file, by the names that the network has for them.

    Attributes:
        path: of the place, such as `state_dict.generator`; empty for the file itself.
        tensors: by the network's names, and those surplus by their own.
        missing, surplus: names.
        shapes: names whose tensors have another shape than the network's.
    """

    path: str
    tensors: Mapping[str, Tensor]
    missing: tuple[str, ...] = ()
    surplus: tuple[str, ...] = ()
    shapes: tuple[str, ...] = ()

    @property
    def fits(self) -> bool:
        """Whether they are the network's weights, no more and no less."""
        return not (self.missing or self.surplus or self.shapes)

    @property
    def title(self) -> str:
        """What to call the place."""
        return shown(self.path) if self.path else "the file itself"

    def weights_of(self, name: str) -> str:
        """What to call the weights."""
        return f"the weights in {shown(self.path)} of {name}" if self.path else f"the weights of {name}"


@dataclass(frozen=True)
class Found:
    """The generator's weights: where they were, and what to know of the choice."""

    path: str
    averaged: bool
    notes: tuple[str, ...]


def load_weights(network: nn.Module, saved: Mapping[str, Any], name: str, key: str | None = None) -> Found:
    """Find the weights that fit a network, and load them into it.

    Args:
        network: of which the weights are wanted.
        saved: what the file holds, tensors by name, maybe nested.
        name: of the file, for messages.
        key: the place to take them from.

    Raises:
        InputError: none fit, which the message explains by names and shapes; or they are not finite.
        UsageError: there is no such place.
    """
    flat = _Flat(saved)
    if not flat.tensors:
        held = ", ".join(shown(each) for each in list(saved)[:6]) or "nothing"
        raise InputError(f"{name} holds no tensors, and so no weights (found: {held})")
    groups = _groups(network, flat)
    fitting = sorted((group for group in groups if group.fits), key=lambda group: preference(group.path))
    completed = [_completed(group, fitting, network) for group in groups if not group.fits]
    completed += [_from_list(path, tensors, fitting, network) for path, tensors in flat.lists]
    found = sorted((*fitting, *(group for group in completed if group)), key=lambda group: preference(group.path))
    if key is not None:  # only now: what lies elsewhere may have completed what was asked for
        every = groups
        groups, found = ([group for group in each if _within(group.path, key)] for each in (groups, found))
        if not groups and not found:
            raise _no_such_place(flat, every, key, name)
    if not found:
        best = max(groups, key=lambda group: _matches(group, network), default=None)
        if best is not None and _matches(best, network) and _loaded(network, best.tensors):
            return Found(best.path, is_averaged(best.path), ())
        raise InputError(_explained(best, network, flat, name))
    chosen = found[0]
    _check(chosen, name)
    network.load_state_dict(dict(chosen.tensors))
    return Found(chosen.path, is_averaged(chosen.path), tuple(_notes(chosen, found, name)))


def _notes(chosen: Group, found: list[Group], name: str) -> Iterator[str]:
    others = [group.title for group in found[1:] if group.path != chosen.path]
    averaged = " (averaged)" if is_averaged(chosen.path) else ""
    if others:
        message = f"{chosen.weights_of(name)}{averaged} are taken; {', '.join(others[:3])} would fit too"
        yield f"{message}: see --weights-key"
    elif chosen.path:
        yield f"{chosen.weights_of(name)}{averaged} are taken"


class _Flat:
    """All tensors of a nested document, each with the mapping that it is in and its name there."""

    def __init__(self, saved: Mapping[str, Any]) -> None:
        self.tensors: dict[str, dict[str, Tensor]] = defaultdict(dict)
        self.lists: list[tuple[str, list[Tensor]]] = []
        self._left = MOST
        self._walk(saved, "", 0)
        self.tensors = dict(self.tensors)

    def _walk(self, part: Mapping[Any, Any], path: str, depth: int) -> None:
        for key, value in part.items():
            self._left -= 1
            if self._left < 0 or not isinstance(key, str | int):
                continue
            if isinstance(value, Tensor):
                self.tensors[path][str(key)] = value
            elif isinstance(value, Mapping) and depth < DEEPEST:
                self._walk(value, f"{path}.{key}" if path else str(key), depth + 1)
            elif isinstance(value, list | tuple) and value and all(isinstance(each, Tensor) for each in value):
                self.lists.append((f"{path}.{key}" if path else str(key), list(value)))


def _groups(network: nn.Module, flat: _Flat) -> list[Group]:
    """The places whose tensors have names of the network, each with a prefix of its own such as `module.`."""
    own = network.state_dict()
    dotless = {name.replace(".", ""): name for name in own}
    groups = []
    for place, tensors in flat.tensors.items():
        names = {unwrapped(name): name for name in tensors}
        prefixes = {prefix for name in names for prefix, rest in _splits(name) if rest in own}
        undotted = {prefix for name in names for prefix, rest in _splits(name) if rest in dotless} - prefixes
        for prefix in prefixes:
            groups.append(_group(own, place, prefix, {k: tensors[v] for k, v in names.items()}, {}))
        for prefix in undotted:
            groups.append(_group(own, place, prefix, {k: tensors[v] for k, v in names.items()}, dotless))
    return groups


def _group(
    own: Mapping[str, Tensor], place: str, prefix: str, tensors: Mapping[str, Tensor], renamed: Mapping[str, str]
) -> Group:
    under = {name[len(prefix) :]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    under = {renamed.get(name, name): tensor for name, tensor in under.items()}
    under = {name: tensor for name, tensor in under.items() if name in own or name not in AVERAGING or tensor.ndim}
    missing = tuple(name for name in own if name not in under and not name.endswith(COUNTER))
    surplus = tuple(name for name in under if name not in own and not name.endswith(COUNTER))
    shapes = tuple(name for name in own if name in under and under[name].shape != own[name].shape)
    path = ".".join(part for part in (place, prefix.rstrip(".")) if part)
    kept = {name: tensor for name, tensor in under.items() if name in own or not name.endswith(COUNTER)}
    counters = {name: own[name] for name in own if name.endswith(COUNTER) and name not in kept}
    return Group(path, {**kept, **counters}, missing, surplus, shapes)


def _splits(name: str) -> Iterator[tuple[str, str]]:
    """Every way to cut a name into a prefix that ends in a dot, and the rest."""
    start = 0
    while start >= 0:
        yield name[:start], name[start:]
        start = name.find(".", start) + 1 or -1


def _completed(group: Group, fitting: list[Group], network: nn.Module) -> Group | None:
    """A group that lacks the network's buffers alone, with those of the group that has them."""
    buffers = {name for name, _ in network.named_buffers()}
    if group.surplus or group.shapes or not fitting or not set(group.missing) <= buffers:
        return None
    parts = {**group.tensors, **{name: fitting[0].tensors[name] for name in group.missing}}
    return replace(group, tensors=parts, missing=())


def _from_list(path: str, tensors: list[Tensor], fitting: list[Group], network: nn.Module) -> Group | None:
    """Averaged parameters that are kept in the order of the network's, such as `shadow_params`."""
    parameters = [(name, value) for name, value in network.named_parameters() if value.requires_grad]
    shapes = [value.shape for _, value in parameters]
    if not is_averaged(path) or [tensor.shape for tensor in tensors] != shapes:
        return None
    named = {name: tensor for (name, _), tensor in zip(parameters, tensors, strict=True)}
    missing = [name for name in network.state_dict() if name not in named]
    if missing and not fitting:
        return None
    return Group(path, {**named, **{name: fitting[0].tensors[name] for name in missing}})


def _matches(group: Group, network: nn.Module) -> int:
    return len(network.state_dict()) - len(group.missing) - len(group.shapes)


def _loaded(network: nn.Module, tensors: Mapping[str, Tensor]) -> bool:
    """Whether the network takes them all the same, since it knows their old names."""
    try:
        network.load_state_dict(dict(tensors))
    except RuntimeError:
        return False
    return True


def _within(path: str, key: str) -> bool:
    return path == key or path.startswith(f"{key}.") or key in ("", ".")


def _no_such_place(flat: _Flat, every: Iterable[Group], key: str, name: str) -> UsageError:
    places = sorted({*flat.tensors, *(path for path, _ in flat.lists), *(group.path for group in every)} - {""})
    listed = ", ".join(shown(place) for place in places[:8])
    hint = suggestion(key, places)
    return UsageError(
        f"--weights-key is {shown(key)}, where {name} holds no weights of the network{hint}; it has {listed}"
    )


def _explained(best: Group | None, network: nn.Module, flat: _Flat, name: str) -> str:
    own, kind = network.state_dict(), type(network).__name__
    if best is None:
        first = next((f"{place}.{each}".lstrip(".") for place, held in flat.tensors.items() for each in held), "")
        message = (
            f"the weights of {name} do not fit the network {kind}: it has names such as {shown(next(iter(own), ''))}"
        )
        return f"{message}, and the file such as {shown(first)}; choose the factory and its --generator-config"
    problems = [
        f"{shown(each)} is {tuple(best.tensors[each].shape)} in the file and {tuple(own[each].shape)} in the network"
        for each in best.shapes[:3]
    ]
    problems += [f"the file lacks {_few(best.missing)}"] if best.missing else []
    problems += [f"the network has no {_few(best.surplus)}"] if best.surplus else []
    message = f"{best.weights_of(name)} do not fit the network {kind}: {'; '.join(problems)}"
    return f"{message}; see --generator-config, or --weights-key"


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(shown(each) for each in names[:3]) + more


def _check(group: Group, name: str) -> None:
    for key, value in group.tensors.items():
        if value.layout is not torch.strided or value.is_quantized:
            raise InputError(f"{shown(key)} in {group.title} of {name} is sparse or quantised, expected a dense tensor")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise InputError(f"{shown(key)} in {group.title} of {name} is larger than its data; the file is damaged")
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            message = f"{shown(key)} in {group.title} of {name} holds NaN or infinite weights"
            raise InputError(f"{message}: the training had diverged")
