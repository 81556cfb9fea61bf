"""Which names in a trainer's pickle may be left out: what stands beside weights and never does anything."""

from __future__ import annotations

import sys

from gandiag.core.pickles import STORAGE_TYPES

NUMBERS = {*STORAGE_TYPES.values(), "float8_e4m3fn", "float8_e5m2", "complex64", "complex128", "device", "Size"}
BUILTINS = ("dict", "list", "set", "frozenset", "int", "float", "str", "bytes", "object", "complex", "slice")
PATHS = ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")
# What trainers keep beside weights, and what their pickles call to make it. Only stand-ins of it are ever called.
HARMLESS = {
    "argparse.Namespace",
    "types.SimpleNamespace",
    "collections.OrderedDict",
    "collections.defaultdict",
    "collections.Counter",
    "collections.deque",
    "copyreg._reconstructor",
    "copy_reg._reconstructor",
    "_codecs.encode",
    "datetime.datetime",
    "datetime.date",
    "datetime.timedelta",
    "numpy.dtype",
    "numpy.ndarray",
    "easydict.EasyDict",
    "torch.nn.parameter.Parameter",
    "torch.nn.parameter.Buffer",
    *(f"torch.storage.{name}" for name in ("TypedStorage", "UntypedStorage", "_TypedStorage", "_UntypedStorage")),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in PATHS),
    *(f"{module}.{name}" for module in ("builtins", "__builtin__") for name in BUILTINS),
}


def is_harmless(name: str, called: bool) -> bool:
    """Whether a stand-in does for a name: it does not matter, or is a class of a trainer's, made and not called."""
    module = name.partition(".")[0]
    if name in HARMLESS or name.startswith(("torch._utils._rebuild", "numpy.dtypes.", "omegaconf.")):
        return True
    if name.startswith("torch.") and (name.endswith("Storage") or name.removeprefix("torch.") in NUMBERS):
        return True
    return not called and module not in sys.stdlib_module_names and module not in ("__builtin__", "copyreg extension")
