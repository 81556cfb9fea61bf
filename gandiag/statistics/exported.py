"""An exported program (.pt2) read without running what a stranger may have put into it.

`torch.export.load` unpickles constants and sample inputs, evaluates the text of shape expressions and guards, and loads
compiled libraries. So the archive is not given to it: a new one is made of the parts that are plain, and that one is.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from gandiag.core.errors import InputError, shown
from gandiag.core.files import MOST_TEXT
from gandiag.statistics.torch_archive import RefusedError, parts

OPERATORS = re.compile(
    r"torch\.ops\.(aten|prims)\.(?!from_file|save\b|_print)\w+\.\w+"
    r"|torch\.ops\.higher_order\.wrap_with_set_grad_enabled"
    r"|torch\.sym_\w+"
    r"|_operator\.(add|sub|mul|floordiv|truediv|mod|pow|neg|eq|ne|lt|le|gt|ge|and_|or_|not_|getitem)"
)
FUNCTIONS = {
    "Symbol",
    "Integer",
    "Rational",
    "Add",
    "Mul",
    "Pow",
    "Mod",
    "PythonMod",
    "FloorDiv",
    "CleanDiv",
    "CeilDiv",
}
FUNCTIONS |= {"Max", "Min", "Eq", "Ne", "Equality", "Unequality", "StrictLessThan", "LessThan", "StrictGreaterThan"}
FUNCTIONS |= {"GreaterThan", "And", "Or", "Not", "Where", "IntTrueDiv", "TruncToInt", "ToFloat"}
NODES: tuple[type[ast.AST], ...] = (
    *(ast.Expression, ast.Call, ast.Name, ast.Load, ast.keyword, ast.Constant, ast.BinOp, ast.UnaryOp, ast.unaryop),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
)
LONGEST = 5000  # characters of an expression
LARGEST = 2**63
HIGHEST = 64  # product of all exponents: powers of powers have more digits than fit the memory


@dataclass(frozen=True)
class Input:
    """What a program takes: a tensor's sizes, None for one that may vary, and whether its numbers are real."""

    shape: tuple[int | None, ...]
    floating: bool


@dataclass(frozen=True)
class Exported:
    """An exported program.

    Attributes:
        module: what it computes.
        extra: text of the extra file that was asked for, empty where there is none.
        inputs: the tensors that it takes, in order.
    """

    module: Callable[..., Any]
    extra: str
    inputs: tuple[Input, ...]

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Of its input, None for a size that may vary; empty where it has no single input."""
        return self.inputs[0].shape if len(self.inputs) == 1 else ()


def load_exported(path: Path, extra_file: str) -> Exported:
    """An exported program, and the text of one of its extra files.

    Raises:
        InputError: it is no exported program, or holds something pickled, compiled, or other than plain operations.
    """
    try:
        archive, extra = _plain(path, extra_file)
        program = torch.export.load(archive)
        return Exported(program.module(check_guards=False), extra, _inputs(program))
    except RefusedError as error:
        message = f"the exported program {shown(path)} holds {error}, which is never loaded"
        raise InputError(f"{message}; export it from its tensors and operations alone") from error
    except Exception as error:  # another version of torch, or a damaged file, may fail in any way
        reason = str(error).strip().partition("\n")[0][:200] or type(error).__name__
        message = f"cannot read the exported program {shown(path)}: {reason}"
        raise InputError(f"{message}; write it with torch.export.save of the torch that is installed here") from error


def _inputs(program: torch.export.ExportedProgram) -> tuple[Input, ...]:
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    found = [values.get(name) for name in program.graph_signature.user_inputs if isinstance(name, str)]
    return tuple(
        Input(tuple(size if isinstance(size, int) else None for size in value.shape), value.is_floating_point())
        for value in found
        if isinstance(value, torch.Tensor)
    )


def _plain(path: Path, extra_file: str) -> tuple[io.BytesIO, str]:
    """A new archive of the plain parts, and the extra file."""
    copy, extra = io.BytesIO(), ""
    with zipfile.ZipFile(copy, "w") as plain:
        for root, name, content in parts(path):
            if name == f"extra/{extra_file}":
                extra = content.decode("utf-8", "replace")
            if (kept := _kept(name, content)) is not None:
                plain.writestr(f"{root}/{name}", kept)
    copy.seek(0)
    return copy, extra


def _kept(name: str, content: bytes) -> bytes | None:
    """What a part becomes in the new archive; None for one that is left out."""
    if name.startswith("data/aotinductor/"):
        raise RefusedError("a compiled library")
    if name.startswith("data/sample_inputs/"):
        # They are pickled, and nothing needs them.
        return b""
    if re.fullmatch(r"data/(weights|constants)/\w+_config\.json", name):
        return _plain_tensors(content)
    if re.fullmatch(r"models/\w+\.json", name):
        return _plain_program(content)
    if re.fullmatch(r"data/(weights/weight|constants/tensor)_\d+", name):
        return content
    known = {"archive_format", "archive_version", "byteorder", ".data/version"}
    return content if name in known else None


def _json(content: bytes) -> Any:
    if len(content) > MOST_TEXT:
        raise RefusedError(f"a program of {len(content):,} bytes")
    return json.loads(content)


def _plain_tensors(content: bytes) -> bytes:
    for tensor in _json(content)["config"].values():
        if tensor.get("use_pickle") or not re.fullmatch(r"(weight|tensor)_\d+", str(tensor.get("path_name"))):
            raise RefusedError("pickled or foreign objects among its tensors")
    return content


def _plain_program(content: bytes) -> bytes:
    program = _json(content)
    program["guards_code"] = []
    for part in _parts(program):
        if "metadata" in part and "target" in part:
            part["metadata"] = {}
        for key, value in part.items():
            if key in ("target", "as_operator") and isinstance(value, str) and not OPERATORS.fullmatch(value):
                raise RefusedError(f"the operation {shown(value)}")
            if key == "expr_str":
                _check_expression(str(value))
            if key in ("custom_obj", "as_custom_obj", "class_fqn", "custom_obj_values") and value:
                raise RefusedError("foreign objects")
            if not re.fullmatch(r"[\w.:-]*", key):
                raise RefusedError(f"the name {shown(key)}")
    written = json.dumps(program)
    if "__enum__" in written:
        raise RefusedError("values of foreign types")
    return written.encode()


def _parts(value: object) -> Iterator[dict[str, Any]]:
    """Every mapping inside a JSON value."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)


def _check_expression(text: str) -> None:
    """Raise unless a shape expression is arithmetic on named sizes, for it will be evaluated."""
    try:
        tree = ast.parse(text[: LONGEST + 1], mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise RefusedError(f"the expression {shown(text)}") from error
    powers = [_exponent(node) for node in ast.walk(tree) if _is_power(node)]
    if len(text) > LONGEST or None in powers or math.prod(filter(None, powers)) > HIGHEST:
        raise RefusedError(f"the expression {shown(text)}")
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        plain = isinstance(node, NODES)
        if isinstance(node, ast.Call):
            plain = isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
        elif isinstance(node, ast.Name):
            plain = id(node) in called or re.fullmatch(r"[a-z]+\d+", node.id) is not None
        elif isinstance(node, ast.Constant):
            plain = _is_plain(node.value)
        if not plain:
            raise RefusedError(f"the expression {shown(text)}")


def _is_plain(value: object) -> bool:
    """Whether a constant is a number or a name."""
    if isinstance(value, bool | int | float):
        return abs(value) < LARGEST
    return re.fullmatch(r"\w+", str(value)) is not None


def _is_power(node: ast.AST) -> bool:
    called = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Pow"
    return called or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow))


def _exponent(node: ast.AST) -> int | None:
    """Of a power, where it is a whole number."""
    given: ast.AST | None = None
    if isinstance(node, ast.BinOp):
        given = node.right
    elif isinstance(node, ast.Call) and len(node.args) == 2 and not node.keywords:
        given = node.args[1]
    value = given.operand if isinstance(given, ast.UnaryOp) else given
    number = value.value if isinstance(value, ast.Constant) else None
    return number if type(number) is int else None
