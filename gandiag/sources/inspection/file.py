"""What a file is, told without running or loading anything in it; PyTorch is not needed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gandiag.core.errors import InputError, shown
from gandiag.core.pickles import PickleError
from gandiag.sources.inspection.archive import look_at_archive
from gandiag.sources.inspection.arrays import look_at_array
from gandiag.sources.inspection.documents import look_at_json
from gandiag.sources.inspection.inspection import Inspection, quoted
from gandiag.sources.inspection.models import look_at_onnx, look_at_safetensors
from gandiag.sources.inspection.saved import look_at_pickle
from gandiag.sources.onnx_graph import looks_like_onnx


def inspect_file(path: str | Path) -> Inspection:
    """What a file is, by its content.

    Raises:
        InputError: there is no such file, or it cannot be read.
    """
    file = Path(path)
    try:
        if file.is_dir():
            return _folder(file)
        if not file.is_file():
            raise InputError(f"there is no file {shown(file)}; check the path")
        size = file.stat().st_size
        with file.open("rb") as opened:
            head = opened.read(4096)
        if not head:
            raise InputError(f"{shown(file)} is empty; the run that should have written it did not finish")
        for recognises, look in LOOKS:
            if recognises(head, file):
                return look(file, size)
    except InputError:
        raise
    except Exception as error:  # a damaged file may fail in any way
        raise InputError(f"cannot read {shown(file)}: it is damaged or cut short ({_reason(error)})") from error
    return Inspection(str(file), "unknown: no kind that gandiag reads", size)


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _folder(path: Path) -> Inspection:
    names = sorted(each.name for _, each in zip(range(10_000), path.iterdir(), strict=False))
    if "run.jsonl" in names:
        command = f"gandiag diagnose {quoted(path)}"
        return Inspection(str(path), "folder of a run", 0, values={"files": len(names)}, command=command)
    return Inspection(
        str(path), "folder", 0, values={"files": len(names)}, command=f"gandiag score {quoted(path)} --against REF"
    )


def _named(kind: str) -> Callable[[Path, int], Inspection]:
    return lambda path, size: Inspection(str(path), kind, size, command=f"gandiag score {quoted(path)} --against REF")


def _image(path: Path, size: int) -> Inspection:
    from PIL import Image

    try:
        with Image.open(path) as image:
            shape = (len(image.getbands()), image.height, image.width)
            kind = f"image ({image.format}, {image.mode})"
    except (OSError, ValueError, Image.DecompressionBombError, SyntaxError) as error:
        raise PickleError("no image that can be read") from error
    return Inspection(str(path), kind, size, image=shape)


def _begins(*starts: bytes) -> Callable[[bytes, Path], bool]:
    return lambda head, _: head.startswith(starts)


def _begins_as_safetensors(head: bytes, _: Path) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") < 2**32


LOOKS: list[tuple[Callable[[bytes, Path], bool], Callable[[Path, int], Inspection]]] = [
    (_begins(b"PK\x03\x04", b"PK\x05\x06"), look_at_archive),
    (_begins(b"\x93NUMPY"), look_at_array),
    (_begins(b"\x89HDF\r\n\x1a\n"), _named("HDF5 file")),
    (_begins(b"PAR1"), _named("Parquet file")),
    (_begins(b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*"), _image),
    (lambda head, _: head[:4] == b"RIFF" and head[8:12] == b"WEBP", _image),
    (_begins(b"\x1f\x8b"), _named("compressed archive (gzip)")),
    (_begins(b"BZh"), _named("compressed archive (bzip2)")),
    (_begins(b"\xfd7zXZ\x00"), _named("compressed archive (xz)")),
    (lambda head, _: head[257:262] == b"ustar", _named("tar archive")),
    (_begins_as_safetensors, look_at_safetensors),
    (lambda head, _: head.lstrip()[:1] in (b"{", b"["), look_at_json),
    (lambda head, _: head[:1] == b"\x80" and 2 <= head[1] <= 5, look_at_pickle),
    (lambda head, path: looks_like_onnx(head) or path.suffix.lower() == ".onnx", look_at_onnx),
]
