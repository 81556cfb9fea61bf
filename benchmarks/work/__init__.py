"""The works that gandiag and its peers do side by side. One module is one kind of work."""

from __future__ import annotations

import importlib

from work.model import Work

WORKS = {
    "frechet-full": "frechet:full",
    "frechet-few": "frechet:few",
    "inception-fp32": "inception:fp32",
    "inception-tf32": "inception:tf32",
    "inception-bf16": "inception:bf16",
    "prdc": "neighbours:prdc",
    "kid": "kernel:kid",
    "growth-neighbours": "growth:neighbours",
    "growth-fid": "growth:fid",
    "neighbours-50k": "large:neighbours",
    "fid-200k": "large_fid:fid",
}
"""For each name, the module and the function that makes the work; only that module is loaded, as memory is measured."""

GROUPS = {"growth": ("growth-neighbours", "growth-fid")}


def make(name: str, quick: bool) -> Work:
    """The work of that name, in full or in quick sizes."""
    module, _, function = WORKS[name].partition(":")
    work: Work = getattr(importlib.import_module(f"work.{module}"), function)(quick)
    return work
