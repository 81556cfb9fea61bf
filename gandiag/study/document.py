"""A study's findings as files."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

from gandiag.study.read import Reading

READING_SCHEMA = "gandiag.study-reading/1"
LONGEST = 100  # characters of a source's name in that of a file


def reading_json(reading: Reading) -> str:
    """All of it as one strict JSON document."""
    document = {
        "schema": READING_SCHEMA,
        "study": reading.key.study,
        "question": reading.key.question,
        "kappa": reading.kappa,
        "raters": [dataclasses.asdict(rater) for rater in reading.raters],
        "results": [json.loads(result.to_json()) for result in reading.results],
    }
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def result_name(reading: Reading, place: int) -> str:
    """A file name for the Result of one source: its stem, made harmless, and its place where there are two."""
    stem = Path(str(reading.results[place].source["name"])).stem
    stem = re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-.")[:LONGEST] or "source"
    return f"{stem}-study.json" if len(reading.results) == 1 else f"{place + 1}-{stem}-study.json"
