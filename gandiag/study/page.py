"""The study's page as HTML: one file, no network, driven by keys, buttons or touch."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from importlib import resources

from gandiag.study.questions import Key, Question

ASKED: dict[Question, tuple[str, tuple[str, str]]] = {
    "real-or-fake": ("Is this image real, or made by a machine?", ("real", "fake")),
    "a-or-b": ("Which of the two looks more real?", ("left", "right")),
}


def study_page(key: Key, pictures: Mapping[str, tuple[str, ...]]) -> str:
    """The page for a key, with the PNG of each trial in base64.

    The key stands in the page in base64: it is not secret, but no glance at the source gives an answer away.
    """
    question, answers = ASKED[key.question]
    data = {
        "study": key.study,
        "question": question,
        "answers": answers,
        "seed": key.seed,
        "key": base64.b64encode(json.dumps(key.to_dict(), allow_nan=False).encode()).decode(),
        "trials": [{"id": trial.id, "images": pictures[trial.id]} for trial in key.trials],
    }
    # `<` and its kin are written as escapes, so that no name in the data can end the script element.
    text = json.dumps(data, allow_nan=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    template = resources.files("gandiag.study").joinpath("page.html").read_text(encoding="utf-8")
    return template.replace("{{DATA}}", text)
