"""The command line that repeats a Result."""

from __future__ import annotations

import shlex

from gandiag.core.result import Result


def command_of(result: Result) -> str:
    """`gandiag score ...` with all that the Result says of how it was made."""
    protocol, reference = result.protocol, result.reference
    extractors = protocol.get("extractors")
    words = ["gandiag", "score", str(result.source.get("path") or result.source.get("name"))]
    metrics = protocol.get("metrics")
    words += ["--metric", ",".join(map(str, metrics))] if isinstance(metrics, list) else []
    if reference.get("name") is not None:
        words += ["--against", str(reference["name"])]
    for option, key in (
        ("--samples", "samples"),
        ("--seed", "seed"),
        ("--batch-size", "batch_size"),
        ("--like", "like"),
    ):
        if protocol.get(key) is not None:
            words += [option, str(protocol[key])]
    if protocol.get("precision") not in (None, "fp32"):
        words += ["--precision", str(protocol["precision"])]
    if isinstance(extractors, dict) and len(extractors) == 1:
        words += ["--extractor", next(iter(extractors))]
    return shlex.join(words)
