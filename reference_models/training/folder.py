"""The run folder: what belongs where, and what a resumed run must have in common with the run that it goes on with."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gandiag import InputError, UsageError
from reference_models.training.files import written_whole

FORMAT = "reference_models.run/1"
NAMES = ("recipe.name", "dataset", "seed", "fault", "amp", "compile", "processes")
FREE = ("recipe.summary", "recipe.dataset", "recipe.steps", "recipe.save_every", "recipe.preview_every")


@dataclass(frozen=True)
class Folder:
    """Paths in a run folder."""

    home: Path

    @property
    def checkpoint(self) -> Path:
        """The latest checkpoint, for gandiag."""
        return self.home / "checkpoint.pt"

    @property
    def state(self) -> Path:
        """What `--resume` goes on from."""
        return self.home / "state.pt"

    @property
    def config(self) -> Path:
        """All that decided the run."""
        return self.home / "config.json"

    @property
    def best(self) -> Path:
        """The checkpoint with the best score, where the run was scored as it went on."""
        return self.home / "best.pt"

    @property
    def evaluations(self) -> Path:
        """The scores along the run."""
        return self.home / "evaluations.jsonl"

    @property
    def scalars(self) -> Path:
        """Event files for TensorBoard."""
        return self.home / "tensorboard"

    @property
    def scores(self) -> Path:
        """The last scores of an image-to-image model."""
        return self.home / "scores.json"

    def other(self, direction: str) -> Path:
        """The checkpoint of another direction of an image-to-image model."""
        return self.home / f"checkpoint-{direction}.pt"

    def preview(self, step: int) -> Path:
        """The preview after a number of steps."""
        return self.home / "samples" / f"step-{step:06d}.png"


def previous_run(folder: Folder, resume: bool) -> dict[str, Any] | None:
    """The configuration of the run to go on with, or None for a new run, whose folder must be empty.

    Raises:
        UsageError: a new run would overwrite something, or there is nothing to resume.
        InputError: the configuration is damaged, or the folder cannot be read.
    """
    try:
        if not resume:
            if folder.home.exists() and (not folder.home.is_dir() or any(folder.home.iterdir())):
                message = f"{folder.home} is not an empty folder"
                raise UsageError(f"{message}; add --resume to go on with its run, or choose another --out")
            return None
        if not folder.state.is_file() or not folder.config.is_file():
            message = f"--resume: {folder.home} holds no {folder.state.name} with {folder.config.name}"
            raise UsageError(f"{message}; leave --resume out and give an empty folder to begin a run")
        found = json.loads(folder.config.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"cannot read {error.filename or folder.home}: {error.strerror}; check its rights") from error
    except ValueError as error:
        raise InputError(f"{folder.config} is damaged: {error}; start again in another --out") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise InputError(f"{folder.config} is not a {FORMAT} file; start again in another --out")
    wanted = {"recipe": dict, "dataset": str, "steps": int}
    if not all(isinstance(found.get(key), kind) for key, kind in wanted.items()):
        raise InputError(f"{folder.config} does not say its recipe, dataset and steps; start again in another --out")
    return found


def check_same(before: Mapping[str, Any], now: Mapping[str, Any], folder: Folder, paced: Sequence[str]) -> None:
    """Refuse to go on with another run than the one in the folder.

    Args:
        before: its configuration.
        now: that of the run that is asked for.
        folder: of both.
        paced: what in that run depends on the number of steps, in words.

    Raises:
        UsageError: something differs that decides the weights; the message names it.
    """
    old, new = _flat(before), _flat(json.loads(json.dumps(now)))
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    deciding = [key for key in changed if key.startswith("recipe.") or key == "dataset_sha256"]
    # Where a name differs, all that follows from it does too: it alone is worth telling.
    telling = [key for key in NAMES if key in changed] or [key for key in deciding if key not in FREE]
    differences = [f"{key} was {old.get(key)!r}, is {new.get(key)!r}" for key in telling]
    if "steps" in changed and paced:
        differences.append(f"steps was {old['steps']}, is {new['steps']}, and {paced[0]} depends on it")
    if differences:
        listed = "; ".join(differences[:4])
        message = f"--resume: the run in {folder.home} differs: {listed}"
        raise UsageError(f"{message}; give what it had, or choose another --out")


def write_config(folder: Folder, config: Mapping[str, Any]) -> None:
    """Write the configuration, making the folder if need be.

    Raises:
        InputError: the folder cannot be written to.
    """
    with written_whole(folder.config) as temporary:
        temporary.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat
