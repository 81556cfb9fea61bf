"""What the loops have in common: from step to step, and all that is saved, shown and scored on the way."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import nn

from gandiag import TrainingProgress, UsageError
from reference_models.training.evaluation import Evaluation
from reference_models.training.folder import write_config
from reference_models.training.interrupt import deferred_interrupt
from reference_models.training.monitoring import watching
from reference_models.training.parallel import Team, team
from reference_models.training.run import Run
from reference_models.training.scalars import Scalars, find_writer
from reference_models.training.state import State, load_state
from reference_models.training.step import Losses
from reference_models.training.watch import LossWatch

Report = Callable[[TrainingProgress], None]
Players = nn.Module | Mapping[str, nn.Module]


class Course(Protocol):
    """A run made ready by one of the loops."""

    @property
    def state(self) -> State:
        """All that changes from step to step."""
        ...

    @property
    def players(self) -> tuple[Players, Players]:
        """Generators and discriminators, as the monitor takes them."""
        ...

    @property
    def held_out(self) -> tuple[Any, ...] | None:
        """Real samples that are not trained on, as the discriminator takes them, for the monitor."""
        ...

    def take_step(self) -> Losses:
        """Update all players, and count the step."""
        ...

    def save(self, remembered: Sequence[Mapping[str, Any]]) -> None:
        """Write the state, with what the techniques of each process remember, and the checkpoint."""
        ...

    def preview(self) -> None:
        """Write pictures."""
        ...

    def compile(self) -> None:
        """Compile the networks."""
        ...

    def evaluation(self) -> Evaluation:
        """What `--eval-every` scores with."""
        ...

    def finish(self) -> None:
        """Whatever else is to be written after the last step."""
        ...


def drive(run: Run, prepare: Callable[[Team], Course], report: Report, config: Mapping[str, Any], resume: bool) -> Path:
    """Train to the last step and return the path of the checkpoint; `config` is written beside it.

    The weights depend on the recipe, the data, the seed and the number of steps, not on interruptions: bit for bit on
    one machine with one number of threads. Ctrl-C ends the run after the step under way, with everything saved.

    Raises:
        TrainingError: a loss or a weight is not finite; what was saved before stays.
        InputError: the saved state is damaged, or a file cannot be written.
        UsageError: the network does not fit the data, or the run is beyond the wanted number of steps.
    """
    with team(run.device, run.recipe.batch_size) as crew:
        course = prepare(crew)
        state = course.state
        if resume:
            load_state(run.folder.state, state, crew.rank)
            if state.step > run.steps:
                message = f"--steps is {run.steps}, but the run in {run.folder.home} is at step {state.step}"
                raise UsageError(f"{message}; ask for more steps")
        if run.options.compile:
            course.compile()
        evaluation = course.evaluation()
        if run.options.evaluate_every:
            evaluation.check()
        if run.options.tensorboard:
            find_writer()
        crew.wait()
        if crew.leads:
            write_config(run.folder, config)
        with ExitStack() as stack:
            interrupted = stack.enter_context(deferred_interrupt())
            stack.enter_context(torch.backends.cudnn.flags(deterministic=True, benchmark=False))
            wanted = run.options.tensorboard and crew.leads
            scalars = stack.enter_context(Scalars(run.folder.scalars if wanted else None, state.step))
            watched = run.folder.home if run.options.monitor and crew.leads else None
            stack.enter_context(watching(state, course.players, course.held_out if watched else None, watched))
            evaluation.go_on(state.step)
            _go_on(_Session(run, course, report, interrupted, crew, scalars, evaluation))
    return run.folder.checkpoint


@dataclass(frozen=True)
class _Session:
    """A run under way, and who looks on."""

    run: Run
    course: Course
    report: Report
    interrupted: Callable[[], bool]
    crew: Team
    scalars: Scalars
    evaluation: Evaluation


def _go_on(session: _Session) -> None:
    run, course, crew = session.run, session.course, session.crew
    state = course.state
    watch = LossWatch()
    began = time.monotonic() - state.seconds

    def save() -> None:
        watch.look()
        state.seconds = time.monotonic() - began
        remembered = crew.gathered(state.remembered())
        if crew.leads:
            course.save(remembered)
        crew.wait()

    def due() -> bool:
        return bool(run.options.evaluate_every) and state.step % run.options.evaluate_every == 0

    def score() -> None:
        save()
        session.scalars.add(state.step, session.evaluation.score(state.step))

    if due() and 0 < state.step < run.steps and not session.evaluation.has(state.step):
        score()  # the run was interrupted there
    while state.step < run.steps:
        losses = course.take_step()
        looked = watch.add(state.step, losses)
        if looked:
            session.scalars.add(state.step, watch.values)
        stopped = False
        try:
            session.report(TrainingProgress(state.step, run.steps, watch.values))
        except KeyboardInterrupt:
            stopped = True
        stopped = crew.any(stopped or session.interrupted())
        if state.step % run.recipe.preview_every == 0 and state.step < run.steps and crew.leads:
            course.preview()
        if stopped:
            save()
            raise KeyboardInterrupt
        if state.step == run.steps:
            break
        if due():
            score()
        elif state.step % run.recipe.save_every == 0:
            save()
    save()
    if crew.leads:
        course.preview()
        course.finish()
    if run.options.evaluate_every:
        session.scalars.add(state.step, session.evaluation.score(state.step))
