"""Calls of a discriminator: what was judged, real or fake, and in whose phase of the game."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from gandiag.monitor.buffer import Buffers
from gandiag.monitor.capture.outputs import Fakes, Layouts, address
from gandiag.monitor.capture.players import Player
from gandiag.monitor.capture.scores import Raw, Unreadable, judgement, selected, tensors_in
from gandiag.monitor.measure.diversity import Collector

MOST_CALLS = 64  # kept between two steps
RAW = 1024  # outputs and derivatives that tell the loss
SURE = 50  # own steps after which it is clear that a discriminator cannot be read
Phase = Literal["generator", "discriminator"]
Label = Literal["real", "fake", "mixed", "unknown"]


@dataclass
class Call:
    """One call of a discriminator, until the next step of a player.

    Attributes:
        label: of the samples; `mixed` holds fakes at `fakes`, real samples elsewhere.
        raw: what judges, or None at a step that is not measured.
        judged: the samples that were put in; none are kept at a step that is not measured.
        arguments: all that was put in, positional and by name.
        through: whether the loss can reach a generator through the samples.
        fakes: the rows of the fakes in a mixed call.
        slopes: derivatives of the loss by each tensor of `raw`, as they arrive.
        versions: of the tensors, to know whether they were changed in place.
        last: some output, for a check that it is finite.
    """

    label: Label
    raw: Raw | None
    judged: Tensor
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    through: bool
    fakes: slice
    slopes: list[Tensor | None] = field(default_factory=list)
    versions: tuple[int, ...] = ()
    last: Tensor | None = None

    @property
    def rows(self) -> dict[str, slice | Tensor]:
        """The rows of `real` and `fake` samples."""
        everything = slice(None)
        if self.label == "mixed":
            start, stop, _ = self.fakes.indices(len(self.judged))
            rest = slice(stop, None) if start == 0 else slice(0, start)
            return {"real": rest, "fake": self.fakes}
        return {self.label: everything} if self.label != "unknown" else {}

    def unchanged(self) -> bool:
        """Whether nothing was changed in place since the call."""
        return self.raw is not None and self.versions == tuple(map(_version, (*self.raw.tensors, self.judged)))


@dataclass
class Seen:
    """How a discriminator's own phases looked since the last one that was read.

    Attributes:
        generated: calls of generators until then.
        phases: those with calls.
        real: those with real samples.
        fake: those with fakes.
        doubtful: those with more samples beside the fakes than can be real for certain.
        empty: measured own steps without a call before them.
    """

    generated: int = 0
    phases: int = 0
    real: int = 0
    fake: int = 0
    doubtful: int = 0
    empty: int = 0


class Judge:
    """Reads one discriminator.

    Args:
        player: the discriminator.
        fakes: what the generators made.
        buffers: where numbers go.
        score: picks the scores from an output, or None.

    Attributes:
        calls: since the last step.
        fired: how many calls there were at all.
        unreadable: why the scores cannot be read, while no call of its own steps of late could be.
        blind: why nothing can be read, once known.
        doubt: why its last phases could not be read; it may be over.
    """

    def __init__(
        self, player: Player, fakes: Fakes, buffers: Buffers, score: Callable[[Any], Tensor] | None = None
    ) -> None:
        self.player = player
        self.calls: list[Call] = []
        self.fired = 0
        self.turns = 0  # its own steps that were seen
        self.unreadable: str | None = None
        self.blind: str | None = None
        self.doubt: str | None = None
        self.seen = Seen()
        self.read = False  # whether a phase of its own ever was
        self.layouts = Layouts()
        self.collector: Collector | None = None  # where samples go while they are wanted
        self.probable = False  # its scores are probabilities, as far as is known
        self.keeps = False  # whether `last` is wanted
        self.last: dict[str, Call] = {}  # the last call with real samples and the last one with fakes
        self._fakes, self._buffers, self._score = fakes, buffers, score
        self._position = 0  # of the samples among the tensors that are put in
        self._kept: list[Call] = []  # its own calls, over a step of a generator
        self._odd = ""  # why the last output without scores has none
        self._mute = 0  # phases of its own with such an output, since one had scores

    def take(self, step: int, tracked: bool, arguments: tuple[Any, ...], named: dict[str, Any], output: Any) -> None:
        """Note a call whose output trains."""
        found = tensors_in(output)
        trains = [tensor for tensor in found if tensor.requires_grad]
        if not trains:
            return
        self.fired += 1
        if len(self.calls) >= MOST_CALLS:
            del self.calls[0]
        inputs = tensors_in([*arguments, *named.values()])
        if not inputs or any(map(_transformed, [*inputs, *found])) or not all(map(len, inputs)):
            return
        if not tracked or self.blind is not None:
            if self.calls and self.calls[-1].raw is None:
                self.calls.pop()
            last = trains[0].detach()
            self.calls.append(Call("unknown", None, last, ((), {}), False, slice(0), last=last))
            return
        label, judged, fakes = self._label(step, inputs)
        through = judged.requires_grad and not judged.is_leaf
        raw = self._raw(output, judged)
        kept = Raw(tuple(tensor.detach() for tensor in raw.tensors), raw.how, raw.samples)
        versions = tuple(map(_version, (*kept.tensors, judged)))
        again = (_detached(arguments), _detached(named)) if self.keeps else ((), {})
        call = Call(label, kept, judged.detach(), again, through, fakes, [], versions, trains[0].detach())
        # Penalties differentiate at inputs that they made leaves of; those derivatives are not the loss's.
        if not (judged.requires_grad and judged.is_leaf) and (label != "unknown" or through):
            call.slopes = [None] * len(raw.tensors)
            for place, tensor in enumerate(raw.tensors):
                if tensor.requires_grad:
                    tensor.register_hook(partial(_keep, call.slopes, place))  # type: ignore[no-untyped-call]
        self.calls.append(call)

    def learn(self, key: str, flags: list[bool]) -> None:
        """Take a device's late answer to where fakes stand; phases that lacked it prove nothing."""
        if self.layouts.learn(key, flags):
            self.seen = Seen(self._fakes.calls)

    @property
    def trouble(self) -> str | None:
        """Why it cannot be read, as far as is known now."""
        return self.blind or self.unreadable or self.doubt

    def look_back(self) -> None:
        """Say why its own steps of late showed nothing to read, and give up where none ever did."""
        seen, generated = self.seen, self._fakes.calls
        if self.blind is not None:
            return
        if self.turns >= SURE and not self.fired:
            self.blind = "its forward hook never ran; was another copy of it watched, or was it compiled before?"
        elif seen.doubtful >= SURE:
            self.doubt = "it judges more batches beside the fakes than can be real; are some older or changed fakes?"
        elif seen.empty >= SURE and not seen.phases:
            self.doubt = "no call of it comes between the step of another optimizer and its own"
        elif seen.phases >= SURE:
            if seen.real and not seen.fake and generated > seen.generated:
                why = "none of its inputs is an output of the generator; they were augmented or copied before"
            elif seen.fake and not seen.real:
                why = "all its inputs but the fakes require a gradient, as those of a penalty do"
            else:
                why = "its inputs cannot be told apart"
            if self.read or seen.doubtful:
                self.doubt = why
            else:
                self.blind = why

    def _raw(self, output: Any, judged: Tensor) -> Raw:
        try:
            return judgement(output, judged) if self._score is None else selected(_called(self._score, output), judged)
        except Unreadable as error:
            self._odd = str(error)
            return Raw((), "scores", len(judged))

    def _label(self, step: int, inputs: list[Tensor]) -> tuple[Label, Tensor, slice]:
        for place, tensor in enumerate(inputs):
            if self._fakes.made(tensor):
                self._position = place
                return "fake", tensor, slice(None)
        judged = inputs[min(self._position, len(inputs) - 1)]
        comparable = [fake for fake in self._fakes.contents() if self.layouts.comparable(judged, fake)]
        # Elsewhere than on a CPU the answer comes later, for the shape and no one fake: the latest is asked about.
        for fake in comparable if judged.device.type == "cpu" else comparable[:1]:
            place_of = self._place(step, judged, fake)
            if place_of in ("first channels", "last channels"):
                return "fake", judged, slice(None)
            if place_of is not None:
                if len(fake) == len(judged):
                    return "fake", judged, slice(None)
                first = place_of == "first samples"
                return "mixed", judged, slice(0, len(fake)) if first else slice(len(judged) - len(fake), len(judged))
        return ("unknown" if judged.requires_grad else "real"), judged, slice(0)

    def _place(self, step: int, whole: Tensor, fake: Tensor) -> str | None:
        """Where fakes stand in an input, as far as it is known without waiting for the device."""
        key = f"{self.player.key} {len(self.calls)} {tuple(whole.shape)} {tuple(fake.shape)} {whole.requires_grad}"
        flags = self.layouts.compare(whole, fake)
        if flags.device.type == "cpu":
            self.layouts.learn(key, flags.tolist())
        else:
            self._buffers.put("layout", key, step, flags)
        return self.layouts.known.get(key)

    def resolve(self, step: int, phase: Phase, *, measured: bool, learning: bool, scale: Tensor | None) -> None:
        """Measure the calls since the last step, now that it is known whose step comes.

        Args:
            step: of the run.
            phase: the player that steps.
            measured: whether this step is.
            learning: whether the loss is to be told from its derivatives.
            scale: of a gradient scaler.
        """
        calls, self.calls = self.calls, []
        if phase == "generator":
            # Both losses may be made before either step; what cannot reach the generator is for the discriminator's.
            self._kept = [call for call in calls if call.raw is not None and not call.through] or self._kept
        else:
            calls, self._kept = calls or self._kept, []
            self.turns += 1
            self.seen.empty += measured and not calls
        if not calls:
            return
        if calls[-1].raw is None:
            last = calls[-1].last
            if last is not None:
                self._buffers.put("finite", self.player.key, step, last.sum(dtype=torch.float32))
            return
        whole = [call for call in calls if call.unchanged()]
        if phase == "discriminator":
            self._own_phase(step, whole, learning, scale)
        else:
            self._slopes(step, "generator", whole, learning, scale)

    def _own_phase(self, step: int, calls: list[Call], learning: bool, scale: Tensor | None) -> None:
        sides: dict[str, list[Tensor]] = {"real": [], "fake": []}
        peaks: list[Tensor] = []
        calls = _readable(_used(calls))
        labels = {side for call in calls for side in call.rows}
        doubtful = _doubtful(calls)
        self.seen.phases += 1
        self.seen.real += "real" in labels
        self.seen.fake += "fake" in labels
        self.seen.doubtful += doubtful
        if doubtful or len(labels) < 2:
            return
        self.seen, self.read, self.doubt = Seen(self._fakes.calls), True, None
        for call in calls:
            for side, rows in call.rows.items():
                if self.collector is not None:
                    self.collector.add(side, call.judged[rows])
                if self.keeps and call.raw is not None and call.raw.tensors:
                    self.last[side] = call
            if call.raw is None or not call.raw.tensors or not call.rows:
                continue
            scores = call.raw.per_sample(call.judged)
            for side, rows in call.rows.items():
                sides[side].append(scores[rows])
            if call.raw.how == "scores":
                maps = [tensor for tensor in call.raw.tensors if tensor.numel() > len(scores)]
                peaks.extend(tensor.abs().max().float() for tensor in maps)
        if not (sides["real"] and sides["fake"]):
            self._mute += any(call.raw is not None and not call.raw.tensors for call in calls)
            if self._mute >= SURE:
                self.unreadable = self._odd
            return
        self._mute, self.unreadable = 0, None
        real, fake = (values[0] if len(values) == 1 else torch.cat(values) for values in sides.values())
        self._buffers.put("scores", self.player.key, step, real, fake, *([torch.stack(peaks).max()] if peaks else []))
        for side in ("real", "fake"):
            self._slopes(step, side, calls, learning, scale)

    def _slopes(self, step: int, side: str, calls: list[Call], learning: bool, scale: Tensor | None) -> None:
        """The sum of the derivatives of the loss over the samples of a side, and of their magnitudes.

        Where scores may be probabilities also that of the derivatives by their logits.
        """
        totals, learnt = [], False
        for call in calls:
            if side == "generator":
                rows = call.rows.get("fake", slice(None)) if call.through else None
            else:
                rows = call.rows.get(side)
            if rows is None or call.raw is None:
                continue
            for place, slope in enumerate(call.slopes):
                if slope is None:
                    continue
                part = call.raw.slopes(place, slope, call.judged)[rows]
                sums = [part.sum(), part.abs().sum()]
                scores = call.raw.tensors[place].reshape(call.raw.samples, -1)[rows].float()
                plain = call.raw.how == "scores"
                if plain and side == "generator" and (learning or self.probable):
                    sums.append((part * scores * (1 - scores)).abs().sum())
                totals.append(torch.stack(sums))
                if plain and learning and not learnt:
                    outputs, slopes = scores.reshape(-1)[:RAW], part.reshape(-1)[:RAW]
                    self._buffers.put(f"loss {side}", self.player.key, step, outputs, slopes)
                    learnt = True
        if totals:
            total = totals[0] if len(totals) == 1 else torch.stack(totals).sum(dim=0)
            self._buffers.put(f"slope {side}", self.player.key, step, total if scale is None else total / scale)


def _called(score: Callable[[Any], Tensor], output: Any) -> Tensor:
    """The user's choice of an output; a function of theirs may fail, on that of another head too."""
    try:
        return score(output)
    except Exception as error:
        raise Unreadable(f"score= fails on its output, {type(error).__name__}: {error}") from error


def _used(calls: list[Call]) -> list[Call]:
    """Without calls whose scores no loss used where those of their like were used, as in InfoGAN's third turn."""
    trained = {call.label for call in calls if any(slope is not None for slope in call.slopes)}
    unused = [call.label in trained and call.slopes and all(slope is None for slope in call.slopes) for call in calls]
    return [call for call, left_out in zip(calls, unused, strict=True) if not left_out]


def _readable(calls: list[Call]) -> list[Call]:
    """Without calls that have no scores where others of the same side have some: those of another head."""
    scored = {side for call in calls if call.raw is not None and call.raw.tensors for side in call.rows}
    return [call for call in calls if (call.raw is not None and call.raw.tensors) or not scored.issuperset(call.rows)]


def _doubtful(calls: list[Call]) -> bool:
    """Whether there is more beside the fakes than real samples account for, as where older fakes are judged too.

    As many batches of real samples as of fakes are certain, and as many samples, however they are cut into calls. A
    batch that is judged twice counts once.
    """
    sources: dict[str, set[int]] = {"real": set(), "fake": set()}
    samples = {"real": 0, "fake": 0}
    for call in calls:
        for side, rows in call.rows.items():
            sources[side].add(address(call.judged))
            samples[side] += len(call.judged[rows])
    beside = len(sources["real"]) > len(sources["fake"]) and samples["real"] > samples["fake"]
    return bool(sources["fake"]) and beside


def _keep(slopes: list[Tensor | None], place: int, gradient: Tensor) -> None:
    """A hook on an output: derivatives of several backward passes add up."""
    before = slopes[place]
    slopes[place] = gradient.detach() if before is None else before + gradient.detach()


def _detached(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach()
    if type(value) in (list, tuple):
        return type(value)(_detached(each) for each in value)
    return {name: _detached(each) for name, each in value.items()} if type(value) is dict else value


def _transformed(tensor: Tensor) -> bool:
    """Whether it is a stand-in for numbers under `torch.func`, such as a penalty's gradient by `torch.func.grad`."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


def _version(tensor: Tensor) -> int:
    return 0 if tensor.is_inference() else int(tensor._version)
