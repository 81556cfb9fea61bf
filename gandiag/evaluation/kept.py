"""Banks from run to run: what the cache holds is loaded, the rest extracted and put there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch

from gandiag.core.protocols import Dataset, Source
from gandiag.evaluation.extract import READ, Task, extract
from gandiag.evaluation.partners import Partners
from gandiag.statistics import collective
from gandiag.statistics.bank_file import bank_from, bank_tensors
from gandiag.statistics.cache import Cache
from gandiag.statistics.feature_bank import FeatureBank

VERSION = 1  # of what the features of a given protocol are; raised when gandiag's own code changes them
PASSING = READ | {"paths"}  # heads that are quicker to make than to keep


@dataclass(frozen=True)
class Keep:
    """Where banks are kept, and what they depend on beside the source and the extractor.

    Attributes:
        cache: None to keep nothing.
        protocol: precision, seed, batch size and the like.
    """

    cache: Cache | None
    protocol: Mapping[str, Any]


def extract_or_load(
    source: Source,
    tasks: Mapping[str, Task],
    samples: int,
    *,
    keep: Keep,
    batch_size: int,
    device: str,
    advance: Callable[[int], None],
    warn: Callable[[str], None],
    partners: Partners | None = None,
) -> dict[str, FeatureBank]:
    """The banks of `extract`, of which those heads that were extracted before come from the cache.

    Raises:
        InputError: as `extract`.
    """
    known = {name: _loaded(source, name, task, keep, device) for name, task in tasks.items()}
    missing = {
        name: Task(task.extractor, {head: rows for head, rows in task.heads.items() if head not in known[name]})
        for name, task in tasks.items()
    }
    missing = {name: task for name, task in missing.items() if task.heads}
    found = {}
    if missing:
        found = extract(
            source,
            missing,
            samples,
            partners=partners,
            batch_size=batch_size,
            device=device,
            advance=advance,
            warn=warn,
        )
        _store(source, missing, found, keep)
    else:
        advance(samples)
    modes = source.modes if isinstance(source, Dataset) else None
    banks = {}
    for name in tasks:
        bank = found.get(name, FeatureBank())
        fields = {head: getattr(part, head) for head, part in known[name].items()}
        banks[name] = replace(bank, modes=modes, **fields)
    return banks


def _loaded(source: Source, name: str, task: Task, keep: Keep, device: str) -> dict[str, FeatureBank]:
    """The heads that the cache holds, each in a bank of its own."""
    loaded = {}
    for head, rows in task.heads.items():
        key = _key(source, task, head, rows, keep)
        found = None if key is None or keep.cache is None else keep.cache.load(key, device)
        if collective.agree(found is not None) and found is not None:
            loaded[head] = bank_from(found.tensors)
    return loaded


def _store(source: Source, tasks: Mapping[str, Task], found: Mapping[str, FeatureBank], keep: Keep) -> None:
    if keep.cache is None or collective.rank() > 0:
        return
    for name, task in tasks.items():
        for head, rows in task.heads.items():
            key = _key(source, task, head, rows, keep)
            values = getattr(found[name], head)
            if key is not None and values is not None:
                keep.cache.store(key, bank_tensors(replace(FeatureBank(), **{head: values})))


def _key(source: Source, task: Task, head: str, rows: int, keep: Keep) -> dict[str, Any] | None:
    """All that the values depend on; None for what is not kept, because its content has no hash or it is quick."""
    if task.extractor is None or head in PASSING or source.info.sha256 is None:
        return None
    info = task.extractor.info
    return {
        "version": VERSION,
        "torch": torch.__version__,
        "source": source.info.sha256,
        "shuffled": source.info.shuffled,
        "weights": source.info.weights,
        "details": dict(source.info.details),
        "shape": list(source.info.shape),
        "rows": rows,
        "head": head,
        "extractor": {"name": info.name, "sha256": info.sha256, "preprocessing": info.preprocessing},
        **keep.protocol,
    }
