"""Text: Results, run logs, indices of weights."""

from __future__ import annotations

import json
from pathlib import Path

from gandiag.core.errors import printable
from gandiag.core.files import read_bounded
from gandiag.core.pickles import PickleError
from gandiag.core.result import Result
from gandiag.sources.inspection.inspection import Inspection, quoted, score_command, shortened, value_at


def look_at_json(path: Path, size: int) -> Inspection:
    """By its schema."""
    text = read_bounded(path)
    try:
        first = json.loads(text)
    except (ValueError, RecursionError):
        try:
            first = json.loads(text.partition(b"\n")[0])
        except (ValueError, RecursionError) as error:
            raise PickleError("it is no JSON") from error
    schema = str(first.get("schema", "")) if isinstance(first, dict) else ""
    if schema.startswith("gandiag.result/"):
        result = Result.load(path)
        values = {
            "source": value_at(result.source, "name"),
            "scores": {name: score.value for name, score in result.scores.items()},
        }
        return Inspection(
            str(path), "Result of gandiag", size, values=shortened(values), command=f"gandiag compare {quoted(path)}"
        )
    if schema.startswith("gandiag.run/") or (isinstance(first, dict) and "signals" in first):
        command = f"gandiag diagnose {quoted(path.parent)}"
        return Inspection(str(path), "run log of gandiag", size, command=command)
    if isinstance(first, dict) and isinstance(first.get("weight_map"), dict):
        files = sorted({str(each) for each in first["weight_map"].values()})
        values = {"tensors": len(first["weight_map"]), "files": [printable(each) for each in files[:50]]}
        command = score_command(path, "--generator package.module:factory")
        return Inspection(str(path), "index of sharded safetensors", size, values=values, command=command)
    keys = [printable(str(key)) for key in first][:20] if isinstance(first, dict) else []
    return Inspection(str(path), "JSON", size, values={"keys": keys})
