"""The Result: what `gandiag score` found, as strict JSON (`gandiag.result/1`)."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gandiag.core.errors import InputError, InternalError, UnknownNameError, shown
from gandiag.core.files import atomic_write, read_bounded
from gandiag.core.score import Score
from gandiag.core.strict_json import parse_json

SCHEMA = "gandiag.result/1"
MOST_SCORES = 1_000  # of a Result: all metrics together have a hundred
# A list of numbers, which goes on one line; no line ends inside a text.
NUMBERS = re.compile(r"\[\n\s*(?:[-+.eE\d]+,?\n\s*)+\]")


@dataclass(frozen=True)
class Result:
    """Scores of one source against one reference, with the protocol that they follow.

    Attributes:
        created: when, in ISO 8601 with UTC offset.
        source: what was scored: `name`, `kind`, `path`, `sha256`, and more where known.
        reference: what it was scored against: `name`, `sha256`, `samples`.
        protocol: how: `samples`, `seed`, `precision`, `quantisation`, `extractors` and more.
        scores: score name to Score.
        warnings: what the reader of the numbers should know.
        environment: versions and machine.
        timing: seconds spent, by part.
    """

    created: str
    source: Mapping[str, Any]
    reference: Mapping[str, Any]
    protocol: Mapping[str, Any]
    scores: Mapping[str, Score]
    warnings: tuple[str, ...] = ()
    environment: Mapping[str, Any] = field(default_factory=dict)
    timing: Mapping[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Score:
        if name not in self.scores:
            raise UnknownNameError("score", name, self.scores)
        return self.scores[name]

    def to_json(self) -> str:
        """The Result as one strict JSON document (never NaN or Infinity)."""
        document = {"schema": SCHEMA, **dataclasses.asdict(self)}
        text = json.dumps(document, indent=2, allow_nan=False, ensure_ascii=True)
        return NUMBERS.sub(lambda found: " ".join(found[0].split()).replace("[ ", "[").replace(" ]", "]"), text) + "\n"

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the JSON, whole or not at all.

        Raises:
            InputError: the file cannot be written.
        """
        with atomic_write(path) as temporary:
            temporary.write_text(self.to_json(), encoding="utf-8")

    @staticmethod
    def from_json(text: str) -> Result:
        """The Result that `to_json` wrote.

        Raises:
            InputError: the text is no such document.
        """
        try:
            document = parse_json(text)
            schema = document.pop("schema", None) if isinstance(document, dict) else None
            if schema != SCHEMA:
                raise ValueError(f"its schema is {shown(schema)}, not {SCHEMA!r}")
            named = document.pop("scores")
            if len(named) > MOST_SCORES:
                raise ValueError(f"it has {len(named):,} scores, and the most are {MOST_SCORES:,}")
            scores = {name: _score(values) for name, values in named.items()}
            return _checked(Result(scores=scores, warnings=tuple(document.pop("warnings", ())), **document))
        except InternalError as error:
            raise InputError(f"not a Result of gandiag: {error}") from error
        except (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError) as error:
            raise InputError(f"not a Result of gandiag: {type(error).__name__}: {error}") from error

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Result:
        """Read a Result file.

        Raises:
            InputError: there is no such file, or it is no Result.
        """
        try:
            text = read_bounded(path).decode("utf-8")
        except OSError as error:
            raise InputError(f"cannot read the Result {shown(path)}: {error.strerror or error}") from error
        except UnicodeDecodeError as error:
            raise InputError(f"{shown(path)} is not a Result of gandiag: it is not UTF-8 text") from error
        try:
            return Result.from_json(text)
        except InputError as error:
            raise InputError(f"{shown(path)} is {error}") from error


def _score(values: dict[str, Any]) -> Score:
    interval = values.pop("ci95", None)
    score = Score(ci95=None if interval is None else (float(interval[0]), float(interval[1])), **values)
    numbers, counts = (score.value, score.stderr), (score.n_real, score.n_fake)
    texts = (score.reason, score.error_method, score.extractor, score.fingerprint)
    if (
        not all(number is None or type(number) in (int, float) for number in numbers)
        or not all(count is None or (type(count) is int and 0 <= count < 1 << 63) for count in counts)
        or score.n_fake is None
        or not all(text is None or isinstance(text, str) for text in texts)
        or not (isinstance(score.params, dict) and isinstance(score.details, dict))
        or (score.stderr is not None and score.stderr < 0)
        or (score.ci95 is not None and score.ci95[0] > score.ci95[1])
    ):
        raise ValueError(f"a score cannot be {shown(values)}")
    return score


def _checked(result: Result) -> Result:
    """The Result, if its parts are what they should be: a stranger may have written the file."""
    for name in ("source", "reference", "protocol", "environment", "timing"):
        if not isinstance(getattr(result, name), dict):
            raise ValueError(f"its {name} is {shown(getattr(result, name))}, expected an object")
    if not isinstance(result.created, str) or not all(isinstance(text, str) for text in result.warnings):
        raise ValueError("its time or a warning is no text")
    return result
