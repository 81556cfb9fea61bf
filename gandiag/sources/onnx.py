"""A generator in an ONNX file, run by onnxruntime."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gandiag.core.errors import GandiagError, InputError, MissingExtraError, shown
from gandiag.core.files import file_sha256
from gandiag.core.generator_options import GeneratorOptions
from gandiag.sources.factory import first_line
from gandiag.sources.fixed_batch import in_batches
from gandiag.sources.network import Network
from gandiag.sources.onnx_graph import WHOLE, Graph, Value, check_plain, read_graph
from gandiag.statistics.foreign import ACCELERATED, SECONDS, Program, silenced, watched

LABELS = ("label", "class", "c", "y", "cond", "condition")
SCALARS = ("psi", "trunc")  # names of inputs that are one number: how far latents are drawn to their mean


def onnx_network(path: Path, options: GeneratorOptions, device: str) -> Network:
    """The generator of an ONNX file: inputs, their shapes and the label's form are read from its graph.

    Raises:
        InputError: it is damaged, is no generator, or holds other than ONNX's own operations.
        MissingExtraError: onnxruntime is not installed.
    """
    graph = read_graph(path)
    check_plain(graph, path)
    noise, labels, scalars = _inputs(graph, path)
    session, notes = _session(path, device)
    batch = noise.shape[0] if noise.shape else None
    feed = {
        value.name: np.full([size or 1 for size in value.shape], options.truncation or 1.0, value.dtype)
        for value in scalars
    }
    function = _Session(session, noise, labels, feed)
    shape = noise.shape[1:]
    known = bool(shape) and all(size is not None for size in shape)
    form, classes = _labels(labels)
    return Network(
        function=Program(in_batches(function, batch), shown(path)),
        kind="ONNX",
        path=path,
        sha256=file_sha256(path),
        latents=(tuple(size for size in shape if size is not None),) if known else (),
        said=known,
        classes=classes,
        conditional=labels is not None,
        label_format=form,
        notes=tuple(notes),
        details={"truncation_psi": options.truncation or 1.0} if scalars else {},
    )


def _inputs(graph: Graph, path: Path) -> tuple[Value, Value | None, list[Value]]:
    """The input for noise, the one for labels, and single numbers."""
    scalars = [v for v in graph.inputs if v.dtype not in WHOLE and any(word in v.name.lower() for word in SCALARS)]
    rest = [value for value in graph.inputs if value not in scalars]
    labels = [value for value in rest if value.dtype in WHOLE] or [v for v in rest if _named_as_labels(v.name)]
    labels = labels if len(rest) == 2 else []
    labels = labels or (rest[1:] if len(rest) == 2 else [])
    noise = [value for value in rest if value not in labels[:1]]
    if len(noise) != 1 or noise[0].dtype not in ("float32", "float16", "float64"):
        listed = ", ".join(f"{shown(each.name)} {each.dtype}" for each in graph.inputs[:4]) or "nothing"
        message = f"the ONNX file {shown(path)} takes {listed}"
        raise InputError(f"{message}; a generator takes noise, and maybe labels: export it with these inputs")
    return noise[0], labels[0] if labels else None, scalars


def _named_as_labels(name: str) -> bool:
    lowered = name.lower()
    return lowered in LABELS or "label" in lowered or "class" in lowered


def _labels(value: Value | None) -> tuple[str | None, int | None]:
    """The form of the labels, and how many classes there are, as far as the graph says."""
    if value is None:
        return None, None
    if value.dtype in WHOLE or len(value.shape) < 2:
        return "index", None
    return "one-hot", value.shape[1]


def _session(path: Path, device: str) -> tuple[Any, list[str]]:
    # Since 1.29 it keeps an identifier in the user's home, and reports to Microsoft, unless it is told not to in time.
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("an ONNX generator", "onnxruntime", "onnx") from error
    available = onnxruntime.get_available_providers()
    providers: list[Any] = ["CPUExecutionProvider"]
    notes = []
    if device.startswith("cuda"):
        index = int(device.partition(":")[2] or 0)
        if "CUDAExecutionProvider" in available:
            providers.insert(0, ("CUDAExecutionProvider", {"device_id": index}))
        else:
            notes.append(f"{shown(path)} runs on the CPU: this onnxruntime has no CUDA; install onnxruntime-gpu")
    settings = onnxruntime.SessionOptions()
    settings.log_severity_level = 4
    try:
        with silenced():  # onnxruntime prints what it tries
            # It computes what is constant when it loads a graph.
            session = watched(
                lambda: onnxruntime.InferenceSession(str(path), settings, providers=providers),
                shown(path),
                SECONDS if device == "cpu" else ACCELERATED,
            )
        return session, notes
    except GandiagError:
        raise
    except Exception as error:  # onnxruntime raises classes of its own
        raise InputError(f"cannot read the ONNX file {shown(path)}: {first_line(error)}") from error


class _Session:
    """An onnxruntime session as a function of tensors."""

    def __init__(self, session: Any, noise: Value, labels: Value | None, feed: Mapping[str, Any]) -> None:
        self._session, self._noise, self._labels, self._feed = session, noise, labels, dict(feed)

    def __call__(self, noise: Tensor, labels: Tensor | None = None) -> Tensor:
        feed = {**self._feed, self._noise.name: noise.cpu().numpy().astype(self._noise.dtype)}
        if self._labels is not None and labels is not None:
            rows = labels.cpu().numpy().astype(self._labels.dtype if self._labels.dtype != "unknown" else np.int64)
            feed[self._labels.name] = rows[:, None] if len(self._labels.shape) == 2 and rows.ndim == 1 else rows
        given = self._session.run(None, feed)
        return torch.from_numpy(np.asarray(given[0])).to(noise.device)
